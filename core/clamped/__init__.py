"""Features held at a value at every token of a text, several features at once.

    edit.py      the change: a row of a batch, a feature
    strength.py  the values at which the next token's distribution moves by a given KL
    texts.py     the texts that a subject writes then
    change.py    how all logits move then, on texts that are given

The output side of arXiv 2501.08319 (methods.md 5.10); ours: the SAE's error stays in the text.
In: token ids, a subject and an SAE. Knows nothing of stores, judges or explanations. A person's
steering of one feature from the end of a prompt on is core/steering.py.
"""
