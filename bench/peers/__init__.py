"""The peers' workers, as their pages set them up, each in an environment of its own: of ours they import nothing but
`bench.delivery`. `NAME.in` says what a peer needs, `NAME.lock` the versions and their hashes."""
