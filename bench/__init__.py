"""`python -m bench`: Calends measured beside a plain worker, on the same Kafka and the same sandbox.

Everything is counted at the sandbox, which is a process of its own. Nothing here is imported by Calends.
"""
