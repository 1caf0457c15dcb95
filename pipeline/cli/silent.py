"""Who watches the tokens of a command's calls: nobody."""


class Silent:
    def token_renewed(self, account: str, how: str, seconds: float) -> None: ...

    def token_failed(self, account: str, reason: str) -> None: ...
