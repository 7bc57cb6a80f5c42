from dataclasses import replace
from typing import Any

import pytest

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.model import WASM, Submission
from registry.artifacts.types import recipes, skill_graph
from registry.artifacts.types.agent import RECIPE, RUNTIME, SKILL_GRAPH
from registry.artifacts.types.examples import ADDER, archive
from registry.core.errors import ArtifactInvalid, CircularDependency, MalformedManifest
from tests.artifacts.making import layer, submit

AGENT = BY_NAME["agent"]
PLAIN = b"name: greeter\n"
PIN = "sha256:" + "ab" * 32


def agent(layers: Any = None, top: dict[str, Any] | None = None, **config: Any) -> Submission:
    """The example with other members of `config` (None takes one away) and at its top."""
    inner = {**AGENT.example["config"], **config}
    kept = {key: value for key, value in inner.items() if value is not None}
    return submit(AGENT, {**AGENT.example, "config": kept, **(top or {})}, layers)


def refused_at(submission: Submission) -> str:
    """Where it is refused."""
    with pytest.raises(ArtifactInvalid) as refused:
        checking.check(submission)
    assert refused.value.detail["suggestion"]
    return str(refused.value.detail["pointer"])


def test_an_agent_runs_in_javascript_webassembly_or_a_container() -> None:
    checking.check(agent())
    code = ("agent.tgz", RUNTIME, archive({"index.js": b"run()"}))
    checking.check(agent([("recipe.yaml", RECIPE, PLAIN), code], runtime="js", wasmFile=None, entry="index.js"))
    image: dict[str, Any] = {"runtime": "container", "wasmFile": None, "image": "gati.dev/users/alice/agent:1.0.0"}
    checking.check(agent([("recipe.yaml", RECIPE, PLAIN)], **image))


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"runtime": "python"}, "/config/runtime"),
        ({"wasmFile": None}, "/config/wasmFile"),
        ({"entry": "index.js"}, "/config/entry"),
        ({"image": "a/b:1"}, "/config/image"),
        ({"wasmFile": "other.wasm"}, "/config/wasmFile"),
        ({"runtime": "container", "wasmFile": None, "image": "a/b:1"}, "/layers/1/mediaType"),
        ({"recipe": "other.yaml"}, "/config/recipe"),
        ({"modelReferences": ["Not A Name"]}, "/config/modelReferences/0"),
        ({"modelReferences": None}, "/config/modelReferences"),
        ({"resolved": {"@alice/x": PIN}}, "/config/resolved/@alice~1x"),
        ({"skillGraph": {"skills": ["a", "a"], "dependencies": {}}}, "/config/skillGraph/skills"),
        ({"skillGraph": {"skills": ["read", "greet"], "dependencies": {"b": []}}}, "/config/skillGraph/dependencies/b"),
        (
            {"skillGraph": {"skills": ["read", "greet"], "dependencies": {"read": ["b"]}}},
            "/config/skillGraph/dependencies/read/0",
        ),
    ],
)
def test_an_agent_that_contradicts_itself_is_refused_where_it_does(config: dict[str, Any], place: str) -> None:
    assert refused_at(agent(**config)) == place


@pytest.mark.parametrize(
    "image", ["a/b", "a/b:", "A/b:1", "a//b:1", "http://a/b:1", "a/b@sha256:12", "a/b:1 x", "host:99/a", "../a:1"]
)
def test_an_image_without_a_version_or_of_no_form_is_refused(image: str) -> None:
    files = [("recipe.yaml", RECIPE, PLAIN)]
    assert refused_at(agent(files, runtime="container", wasmFile=None, image=image)) == "/config/image"


@pytest.mark.parametrize(
    ("held", "place"),
    [
        ({"maxMemory": "lots"}, "/permissions/maxMemory"),
        ({"maxCpu": "2 hours"}, "/permissions/maxCpu"),
        ({"maxDuration": "5"}, "/permissions/maxDuration"),
        ({"allowedDomains": ["*"]}, "/permissions/allowedDomains/0"),
        ({"allowedDomains": ["a.example", "*github.com"]}, "/permissions/allowedDomains/1"),
        ({"allowedDomains": ["https://a.example"]}, "/permissions/allowedDomains/0"),
        ({"allowedPaths": ["../up"]}, "/permissions/allowedPaths/0"),
        ({"allowedPaths": ["/data/../etc"]}, "/permissions/allowedPaths/0"),
    ],
)
def test_permissions_that_nobody_could_hold_an_agent_to_are_refused(held: dict[str, Any], place: str) -> None:
    assert refused_at(agent(top={"permissions": held})) == place


def test_models_are_wanted_with_the_digests_that_they_are_pinned_to() -> None:
    named = ["@alice/sentiment@1.0.0", "@alice/other"]
    wants = checking.check(agent(modelReferences=named, resolved={named[0]: PIN})).extract.wants
    assert [(one.reference, one.digest, one.must_pin, one.type) for one in wants] == [
        (named[0], PIN, True, "model"),
        (named[1], None, True, "model"),
    ]


@pytest.mark.parametrize("length", [1, 2, 5, 900])
def test_a_cycle_of_skills_is_named(length: int) -> None:
    names = [f"s{index}" for index in range(length)]
    needs = {name: [names[(index + 1) % length]] for index, name in enumerate(names)}
    with pytest.raises(CircularDependency, match=r"s0 → s|→ s0") as refused:
        skill_graph.check({"skills": names, "dependencies": needs}, "/config/skillGraph")
    assert refused.value.status == 422


def test_a_graph_of_many_ways_is_judged_in_one_pass() -> None:
    names = [f"s{index}" for index in range(300)]
    needs = {name: names[index + 1 :] for index, name in enumerate(names)}
    assert skill_graph.find_cycle(needs) == []


def test_a_layer_with_the_skill_graph_says_the_same_as_the_manifest() -> None:
    files = list(AGENT.example_layers)
    same = b'{"skills": ["read", "greet"], "dependencies": {"greet": ["read"]}}'
    checking.check(agent([*files, ("graph.json", SKILL_GRAPH, same)]))
    other = same.replace(b'["read"]}', b"[]}")
    for data in (other, b"{", b"[]", b'{"skills": ["a"], "dependencies": {"a": ["a"]}}'):
        with pytest.raises(ArtifactInvalid):
            checking.check(agent([*files, ("graph.json", SKILL_GRAPH, data)]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"- a\n",
        b"a: &x 1\nb: *x\n",
        b"a: &a [x]\nb: &b [*a, *a]\n",
        b"a: !!python/object/apply:os.system [id]\n",
        b"a: !x 1\n",
        b"a: 1\na: 2\n",
        b"a: {b: 1, b: 2}\n",
        b"1: a\n",
        b"? [a]\n: b\n",
        b"a: 1\n---\nb: 2\n",
        b"a: " + b"[" * 5000,
        b"a: " + b"{b: " * 5000,
        b"a:\n" + b"".join(b" " * index + b"- \n" for index in range(1, 60)),
        b"a: [" + b"1," * 60_000 + b"]",
        b"a: \xff\n",
        b"a: 'open\n",
        b"a: \x00\n",
        b"\ta: 1",
    ],
)
def test_a_recipe_of_more_than_one_reading_or_without_limits_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedManifest, match="recipe is refused"):
        recipes.read(raw, "/layers/0", "recipe.yaml")


def test_a_recipe_reads_as_json_would() -> None:
    raw = b"a: no\nb: 2024-01-01\nc: 12:30\nd: 010\ne: 1.5\nf: -3\ng: true\nh: null\ni:\nj: {k: [x]}\nl: 1e3\nm: 'y'\n"
    assert recipes.read(raw, "/layers/0") == {
        "a": "no",
        "b": "2024-01-01",
        "c": "12:30",
        "d": "010",
        "e": 1.5,
        "f": -3,
        "g": True,
        "h": None,
        "i": None,
        "j": {"k": ["x"]},
        "l": 1000.0,
        "m": "y",
    }


def test_a_recipe_uses_only_skills_of_the_graph() -> None:
    files = [("recipe.yaml", RECIPE, b"steps:\n  - skill: fly\n"), ("agent.wasm", WASM, ADDER)]
    assert refused_at(agent(files)) == "/layers/0"


def test_a_recipe_that_is_too_large_is_refused_without_reading_it() -> None:
    large = layer(0, RECIPE, b"a: 1\n", "recipe.yaml")
    submission = agent()
    assert refused_at(replace(submission, layers=(replace(large, size=1 << 40), *submission.layers[1:]))) == "/layers/0"
