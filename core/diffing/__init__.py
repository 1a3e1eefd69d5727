"""Two subjects on the same tokens, through the same SAEs: what differs (methods.md 8).

statistics.py  paired differences over sequences: sign-flip tests, intervals, AUROC
features.py    all features of two caches, chosen on one half, confirmed on the other
pairs.py       texts with and without a fact: which features react, in which subject
noise.py       noise, or a step along a direction, over a grid of strengths: KL and log-probability
game.py        which of two unlabelled subjects is the second one? a person's or a model's guesses
words.py       results in words, the same on the page and on the command line

The *second* subject is the one in question (the tuned one), the *first* its reference; every
difference is second minus first.
"""
