# Feature: gati-registry, Property 16: Model artifact validation

import contextlib
import copy
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.types.model_documents import BENCHMARK, CARD
from registry.core.errors import ArtifactInvalid, MalformedManifest, ModelFormatMismatch
from tests.artifacts import weight_files
from tests.artifacts.making import submit

MODEL = BY_NAME["model"]
FILES = weight_files.all_formats()
FORMATS = st.sampled_from(list(FILES))
# A member that must be there, and where its absence is told.
MEMBERS = {
    "/config/modelFormat": ("config", "modelFormat"),
    "/config/modelFile": ("config", "modelFile"),
    "/config/inputShape": ("config", "inputShape"),
    "/config/outputShape": ("config", "outputShape"),
    "/config/runtime": ("config", "runtime"),
    "/modelCard/dataset": ("modelCard", "dataset"),
    "/modelCard/trainingDate": ("modelCard", "trainingDate"),
    "/modelCard/usageExamples": ("modelCard", "usageExamples"),
    "/benchmarks/inferenceTime": ("benchmarks", "inferenceTime"),
    "/benchmarks/memoryUsage": ("benchmarks", "memoryUsage"),
}


def document(form: str) -> dict[str, Any]:
    """A complete Gati manifest of a model in this format."""
    made: dict[str, Any] = copy.deepcopy(dict(MODEL.example))
    made["config"] |= {"modelFormat": form, "modelFile": "weights"}
    return made


def judge(form: str, config: dict[str, Any], data: bytes) -> checking.Checked:
    """All that is read of it until it is published."""
    submission = submit(MODEL, config, [("weights", weight_files.MEDIA_TYPES[form], data)])
    found = checking.check(submission)
    for one in submission.layers:
        checking.check_whole(submission, one, io.BytesIO(data))
    return found


@settings(max_examples=150, deadline=None)
@given(declared=FORMATS, true=FORMATS)
def test_a_model_is_published_only_if_its_bytes_are_of_the_declared_format(declared: str, true: str) -> None:
    if declared == true:
        assert judge(declared, document(declared), FILES[true]).pending == ()
        return
    with pytest.raises(ModelFormatMismatch) as refused:
        judge(declared, document(declared), FILES[true])
    assert (refused.value.status, refused.value.detail["reason"]) == (422, "MODEL_FORMAT_MISMATCH")


@settings(max_examples=300, deadline=None)
@given(form=FORMATS.filter(lambda form: form != "tensorrt"), share=st.floats(0, 1, exclude_max=True))
def test_a_model_that_is_cut_off_is_never_published(form: str, share: float) -> None:
    data = FILES[form]
    with pytest.raises((ModelFormatMismatch, MalformedManifest)):
        judge(form, document(form), data[: int(share * len(data))])


@settings(max_examples=150, deadline=None)
@given(form=FORMATS, place=st.sampled_from(list(MEMBERS)))
def test_a_model_that_lacks_what_it_must_say_is_refused_where_it_lacks_it(form: str, place: str) -> None:
    config = document(form)
    holder, member = MEMBERS[place]
    del config[holder][member]
    with pytest.raises(MalformedManifest) as refused:
        judge(form, config, FILES[form])
    assert (refused.value.status, refused.value.detail["pointer"]) == (400, place)
    assert refused.value.detail["suggestion"]


@settings(max_examples=100, deadline=None)
@given(form=FORMATS, names=st.sets(st.sampled_from(["TextInput", "Request", "Output", "Result"]), max_size=4))
def test_a_model_has_a_type_that_goes_in_and_one_that_comes_out(form: str, names: set[str]) -> None:
    config = document(form) | {"gtypes": [{"name": name, "fields": {"text": "string"}} for name in sorted(names)]}
    if names & {"TextInput", "Request"} and names & {"Output", "Result"}:
        judge(form, config, FILES[form])
    else:
        with pytest.raises(MalformedManifest) as refused:
            judge(form, config, FILES[form])
        assert refused.value.detail["pointer"] == "/gtypes"


@settings(max_examples=100, deadline=None)
@given(form=FORMATS, absent=st.sets(st.sampled_from(["modelCard", "benchmarks"])))
def test_card_and_benchmarks_stand_in_the_manifest_or_in_referrers(form: str, absent: set[str]) -> None:
    config = {key: value for key, value in document(form).items() if key not in absent}
    submission = submit(MODEL, config, [("weights", weight_files.MEDIA_TYPES[form], FILES[form])])
    checking.check(submission)
    wanted = {
        artifact_type for artifact_type, member in ((CARD, "modelCard"), (BENCHMARK, "benchmarks")) if member in absent
    }
    assert set(checking.needs_referrers(submission)) == wanted


@settings(max_examples=400, deadline=None)
@given(
    form=FORMATS | st.just("torch"),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)), min_size=1, max_size=4),
)
def test_whatever_the_bytes_are_a_model_is_published_or_refused(form: str, changes: list[tuple[float, bytes]]) -> None:
    label = "pickle" if form == "torch" else form
    data = bytearray(weight_files.torch_file() if form == "torch" else FILES[form])
    for share, piece in changes:
        at = int(share * len(data))
        data[at : at + len(piece)] = piece
    with contextlib.suppress(ArtifactInvalid):
        assert judge(label, document(label), bytes(data)).pending == ()
