"""Why there is no set of versions that all agree on, as a person would say it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.artifacts.versions import newest_first
from registry.cli.graph import Graph, Release, Want
from registry.cli.problems import Clash, Missing, Problem

_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Claim:
    """A want, and whose it is; the project's own where `by` is None."""

    want: Want
    by: Release | None = None

    def __str__(self) -> str:
        """A clause of a sentence."""
        who = "the project" if self.by is None else str(self.by)
        needs = "needs beside it" if self.want.relation == "peer" else "wants"
        return f"{who} {needs} {self.want.target} {self.want}"


Published = Mapping[str, Sequence[Release]]


def unsatisfiable(claims: Sequence[Claim], published: Published) -> Problem:
    """The problem that these claims cannot all be met; claims on one artifact stand together."""
    ordered = sorted(set(claims), key=lambda claim: (claim.want.target, str(claim.by or ""), claim.want))
    targets = {claim.want.target: [one for one in ordered if one.want.target == claim.want.target] for claim in ordered}
    unknown = [name for name in targets if not published.get(name)]
    if unknown:
        return _unknown(targets[unknown[0]])
    sentences = [_sentence(name, found, published[name]) for name, found in targets.items()]
    return Clash(" ".join(sentences), *_advice(ordered, published), code="DEPENDENCY_CONFLICT")


def _unknown(claims: Sequence[Claim]) -> Problem:
    name = claims[0].want.target
    wish = _listed([str(claim) for claim in claims])
    return Missing(
        f"{_begun(wish)}, but the registry has no release of {name}, or none that you may see.",
        "See whether the name is right; if the artifact is private, log in as somebody who may pull it.",
        code="MODULE_DEPENDENCY_MISSING",
    )


def _sentence(name: str, claims: Sequence[Claim], releases: Sequence[Release]) -> str:
    wish = _begun(_listed([str(claim) for claim in claims]))
    versions = newest_first(release.version for release in releases)
    shown = ", ".join(versions[:_SHOWN]) + (" …" if len(versions) > _SHOWN else "")
    match len(claims):
        case 1:
            verdict = f"no version of {name} that all others agree on is in that range"
        case 2:
            verdict = f"no version of {name} is both"
        case _:
            verdict = f"no version of {name} is all of that"
    return f"{wish}: {verdict} (published: {shown})."


def _advice(claims: Sequence[Claim], published: Published) -> list[str]:
    wanting = sorted({claim.by.repository for claim in claims if claim.by is not None})
    own = sorted({claim.want.target for claim in claims if claim.by is None})
    told = []
    if own:
        newest = newest_first(release.version for release in published[own[0]])[0]
        told.append(f"Ask for another version: gati module install {own[0]}@^{newest} has the newest.")
    if wanting:
        told.append(f"See whether newer ones agree (gati module update --latest {' '.join(wanting)}),")
        told[-1] += f" or leave one out: gati module remove {wanting[-1]}."
    return told


def circular(graph: Graph, circle: Sequence[str]) -> Problem:
    """The problem that artifacts want each other in a circle."""
    way = " → ".join(str(graph.releases[name]) for name in (*circle, circle[0]))
    return Clash(
        f"These artifacts depend on each other in a circle, so that none can be installed before the others: {way}.",
        "Ask for versions that do not, or tell their publishers.",
        code="CIRCULAR_DEPENDENCY",
    )


def too_deep(steps: int) -> Problem:
    """The problem that the search was given up."""
    return Clash(
        f"No set of versions was found within {steps:,} steps: the ranges of the project leave too much open.",
        "Narrow the ranges in gati.modules.json, or install one artifact after the other.",
        code="DEPENDENCY_CONFLICT",
    )


def _listed(clauses: Sequence[str]) -> str:
    unique = list(dict.fromkeys(clauses))
    return unique[0] if len(unique) == 1 else ", ".join(unique[:-1]) + " and " + unique[-1]


def _begun(sentence: str) -> str:
    return "The" + sentence[3:] if sentence.startswith("the ") else sentence
