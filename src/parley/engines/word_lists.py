"""Small closed word lists: which words cannot end a phrase, which full stops end no sentence, who says "uh".

Here: data only, for English and, where a list is short, its neighbours. Readers: `segmenter`, `turn.heuristic`.
"""

# ruff: noqa: SIM905  (a list of words reads best as text)

from __future__ import annotations

__all__ = ["ABBREVIATIONS", "DANGLING", "DANGLING_ENGLISH", "FILLERS", "LATE_ABBREVIATIONS", "NUMBERED_ONLY"]

DANGLING_ENGLISH = frozenset(
    """a an the this these my your his her its our their some any every each no
    of in on at to for from with without by about into onto over under between among through during before after
    against toward towards upon within per via as than like near behind beside beyond above below across along around
    and or but nor so because if when while although though unless until since whether where which who whose that what
    how why
    is are was were be been being am do does did has have had will would can could shall should may might must
    i'm you're we're they're he's she's it's i'll you'll we'll i'd let's don't doesn't didn't won't can't
    i we they he she very really quite too more most less not just also only please mr mrs ms dr""".split()
)
"""English words that leave a phrase open. No text is cut for speech after one; a pause after one is rarely an end."""

DANGLING = DANGLING_ENGLISH | frozenset(
    """le la les un une des du de et ou mais que qui dans sur avec pour par sans est sont à au aux
    der die das den dem ein eine einen einem einer und oder aber dass weil wenn mit von zu zum zur bei nach aus ist sind
    el los las una unos unas y o pero con por para sin en al del es son
    il lo gli uno e ma che con su per tra fra di da nel nella
    het een van en maar met voor op te bij o os as um uma do da dos das em no na com""".split()
)
"""The same with the commonest of French, German, Spanish, Italian, Dutch and Portuguese: for cutting only."""

ABBREVIATIONS = frozenset(
    """dr mr mrs ms prof rev gen col capt lt sgt st mt sr fr hon gov sen rep vs cf ca approx fig figs eq vol pp ed eds
    dept est e.g i.e u.s u.k u.n a.k.a no nos art bzw z.b d.h usw p.ej jan feb mar apr jun jul aug sep sept oct nov
    dec mon tue tues wed thu thur thurs fri sat sun""".split()
)
"""A full stop after one of these ends nothing. """

NUMBERED_ONLY = frozenset(
    """no nos art fig figs vol pp ed est mar apr jun jul aug sep sept oct nov dec jan feb
    mon tue wed thu fri sat sun""".split()
)
"""Those that are such only with a number behind them; `No.` alone is an answer."""

LATE_ABBREVIATIONS = frozenset("etc a.m p.m inc ltd co corp jr bros".split())
"""A full stop after one of these ends a sentence if a capital follows."""

FILLERS = frozenset("uh um er erm hmm hm mm eh ah like well so".split())
"""English sounds of somebody who is still thinking."""
