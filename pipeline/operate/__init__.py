"""What a person does with a running or a stopped Calends: the logic; the command line only parses and prints."""
