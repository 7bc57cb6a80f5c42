"""Skill graphs of agents: closed, and without cycles. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from registry.artifacts.common_schema import text
from registry.artifacts.schemas import did_you_mean
from registry.core.errors import CircularDependency, MalformedManifest
from registry.core.pointers import pointer

_SKILL: Final = text("The name of a skill.", 200, examples=["summarise"])
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["skills", "dependencies"],
    "description": "Skills, and which of them each needs.",
    "examples": [{"skills": ["read", "summarise"], "dependencies": {"summarise": ["read"]}}],
    "properties": {
        "skills": {
            "type": "array",
            "items": _SKILL,
            "minItems": 1,
            "maxItems": 1000,
            "uniqueItems": True,
            "description": "The names of the skills, each once.",
            "examples": [["read", "summarise"]],
        },
        "dependencies": {
            "type": "object",
            "maxProperties": 1000,
            "description": "For a skill, those that it needs.",
            "examples": [{"summarise": ["read"]}],
            "additionalProperties": {
                "type": "array",
                "maxItems": 1000,
                "uniqueItems": True,
                "items": _SKILL,
                "description": "Names of skills, each once.",
                "examples": [["read"]],
            },
        },
    },
}


def check(graph: Mapping[str, Any], place: str, **more: Any) -> None:
    """Hold a graph of the right schema against its rules; `place` is where it stands.

    Raises:
        MalformedManifest: it names a skill that is not there.
        CircularDependency: a skill needs itself, through others or not; the message names the way.
    """
    skills, needs = frozenset(graph["skills"]), graph["dependencies"]
    for skill, needed in needs.items():
        for at, name in ((pointer(skill), skill), *((pointer(skill, index), one) for index, one in enumerate(needed))):
            if name not in skills:
                raise MalformedManifest(
                    f"The skill graph names {name[:100]!r}, which is none of its skills.",
                    pointer=f"{place}/dependencies{at}",
                    value=name,
                    suggestion=f"Add it to skills.{did_you_mean(name, skills)}",
                    **more,
                )
    cycle = find_cycle(needs)
    if cycle:
        shown = cycle if len(cycle) <= 20 else [*cycle[:10], "…", *cycle[-9:]]
        raise CircularDependency(
            f"The skill graph has a cycle: {' → '.join(shown)}."[:2000],
            pointer=f"{place}/dependencies{pointer(cycle[0])}",
            value=" → ".join(shown),
            suggestion=f"Take {cycle[1]!r} from what {cycle[0]!r} needs, or split a skill.",
            **more,
        )


def find_cycle(needs: Mapping[str, list[str]]) -> list[str]:
    """A cycle of the graph, its first member again at the end; empty where there is none. Linear in its size."""
    done: set[str] = set()
    for start in needs:
        way: dict[str, None] = {}
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack and start not in done:
            skill, index = stack.pop()
            way[skill] = None
            if index == len(needs.get(skill, ())):
                del way[skill]
                done.add(skill)
                continue
            stack.append((skill, index + 1))
            following = needs[skill][index]
            if following in way:
                names = list(way)
                return [*names[names.index(following) :], following]
            if following not in done:
                stack.append((following, 0))
    return []
