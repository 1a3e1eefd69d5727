"""Interventions: does an explanation say what a feature does to the text that follows?

    prompts.py   contexts cut right after the feature begins to fire, apart by purpose
    ends.py      prompts run up to their last token once; then edits of that token and what follows
    strength.py  how far to push, so that the next token's distribution moves by a given KL
    settings.py  sizes, as they are stored
    writing.py   continuations with and without the edit, and the tokens that rise
    wording.py   explanations from rising tokens: named by a template, or by a language model
    spelling.py  token ids as the text that judges and pages show
    verdict.py   how much likelier a judge finds an explanation after the pushed text
    study.py     one feature through all of that
    figures.py   a score with its intervals; pooled.py: many features beside their baselines
    random_sae.py  contexts of a random SAE's features, the baseline that nothing was trained for

S = E_x[log p_M(z | steered) - log p_M(z | clean)] at fixed E_x KL(clean || steered) of the next
token (arXiv 2410.13928; methods.md 5.9). Ours: candidates are chosen on prompts that no score is
reported on; the edit holds at every token written, where the paper's code seems to steer the prompt
alone; both texts of a prompt are drawn with the same random numbers; intervals are a bootstrap's.
"""
