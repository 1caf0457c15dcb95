"""`python -m bench`: Calends measured beside a plain worker, on the same Kafka and the same double of a vendor.

Everything is counted at the double, which is a process of its own. Nothing here is imported by Calends.
"""
