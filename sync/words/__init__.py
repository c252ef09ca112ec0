"""What people are told: one home for the words that several screens share, in every language.

`situation.py` holds what the words depend on, `table.py` the words of each situation, and `notes.py` what is said
beside them. A text is English in the code, and a catalog in `translations/` has it in each language.
"""
