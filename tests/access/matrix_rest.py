"""Who may ask what of /v1, written down a second time."""

from typing import Final
from urllib.parse import quote

from tests.access.matrix import Case

PAGE: Final = """
GET /s/{token} anyone
GET /s/{token}/restore anyone
GET /v1/admin/audit administer
POST /v1/admin/signing-keys/rotate administer
GET /v1/admin/users administer
POST /v1/admin/users administer
DELETE /v1/admin/users/{account} administer
PATCH /v1/admin/users/{account} administer
GET /v1/api-keys signed-in
POST /v1/api-keys signed-in
DELETE /v1/api-keys/{id} signed-in
POST /v1/api-keys/{id}/rotate signed-in
GET /v1/artifacts/{ns} view
GET /v1/artifacts/{ns}/{name} view
PATCH /v1/artifacts/{ns}/{name} push
GET /v1/artifacts/{ns}/{name}/dependents view
GET /v1/artifacts/{ns}/{name}/versions view
GET /v1/artifacts/{ns}/{name}/{version} pull
DELETE /v1/artifacts/{ns}/{name}/{version} delete
DELETE /v1/artifacts/{ns}/{name}/{version}/deprecation push
POST /v1/artifacts/{ns}/{name}/{version}/deprecation push
GET /v1/artifacts/{ns}/{name}/{version}/benchmarks pull
GET /v1/artifacts/{ns}/{name}/{version}/capabilities pull
GET /v1/artifacts/{ns}/{name}/{version}/dependencies pull
GET /v1/artifacts/{ns}/{name}/{version}/deploy-descriptor pull
GET /v1/artifacts/{ns}/{name}/{version}/files pull
GET /v1/artifacts/{ns}/{name}/{version}/gtypes pull
GET /v1/artifacts/{ns}/{name}/{version}/layers pull
GET /v1/artifacts/{ns}/{name}/{version}/manifest pull
GET /v1/artifacts/{ns}/{name}/{version}/metadata view
GET /v1/artifacts/{ns}/{name}/{version}/model-card pull
GET /v1/artifacts/{ns}/{name}/{version}/oci pull
GET /v1/artifacts/{ns}/{name}/{version}/provenance pull
GET /v1/artifacts/{ns}/{name}/{version}/readme pull
GET /v1/artifacts/{ns}/{name}/{version}/recipe pull
GET /v1/artifacts/{ns}/{name}/{version}/sbom pull
GET /v1/artifacts/{ns}/{name}/{version}/signatures pull
GET /v1/artifacts/{ns}/{name}/{version}/skill-graph pull
POST /v1/artifacts/{ns}/{name}/{version} push
GET /v1/artifacts/{ns}/{name}/{version}/share pull
POST /v1/artifacts/{ns}/{name}/{version}/share push
DELETE /v1/artifacts/{ns}/{name}/{version}/share/{id} push
POST /v1/artifacts/batch anyone
POST /v1/auth/login anyone
POST /v1/auth/logout signed-in
POST /v1/auth/refresh anyone
POST /v1/auth/reset anyone
POST /v1/auth/reset/confirm anyone
POST /v1/deployments/reports anyone
DELETE /v1/me signed-in
GET /v1/me signed-in
PATCH /v1/me signed-in
GET /v1/me/invitations signed-in
DELETE /v1/me/invitations/{id} signed-in
POST /v1/me/invitations/{id}/accept signed-in
POST /v1/me/password signed-in
GET /v1/me/sessions signed-in
DELETE /v1/me/sessions/{id} signed-in
GET /v1/namespaces signed-in
POST /v1/namespaces administer
DELETE /v1/namespaces/{ns} own
GET /v1/namespaces/{ns} view
PATCH /v1/namespaces/{ns} manage
GET /v1/namespaces/{ns}/audit manage
GET /v1/namespaces/{ns}/grants manage
PUT /v1/namespaces/{ns}/grants manage
DELETE /v1/namespaces/{ns}/grants/{id} manage
GET /v1/namespaces/{ns}/invitations manage
DELETE /v1/namespaces/{ns}/invitations/{id} manage
GET /v1/namespaces/{ns}/members manage
DELETE /v1/namespaces/{ns}/members/{account} view
PUT /v1/namespaces/{ns}/members/{account} manage
GET /v1/namespaces/{ns}/policies manage
PUT /v1/namespaces/{ns}/policies manage
POST /v1/namespaces/{ns}/rename own
GET /v1/namespaces/{ns}/repositories view
DELETE /v1/namespaces/{ns}/repositories/{repo} manage
GET /v1/namespaces/{ns}/repositories/{repo} view
PATCH /v1/namespaces/{ns}/repositories/{repo} manage
GET /v1/namespaces/{ns}/retention/preview manage
GET /v1/namespaces/{ns}/robots manage
POST /v1/namespaces/{ns}/robots manage
DELETE /v1/namespaces/{ns}/robots/{robot} manage
GET /v1/namespaces/{ns}/robots/{robot}/keys manage
POST /v1/namespaces/{ns}/robots/{robot}/keys manage
DELETE /v1/namespaces/{ns}/robots/{robot}/keys/{id} manage
POST /v1/namespaces/{ns}/robots/{robot}/keys/{id}/rotate manage
GET /v1/namespaces/{ns}/teams manage
POST /v1/namespaces/{ns}/teams manage
DELETE /v1/namespaces/{ns}/teams/{team} manage
GET /v1/namespaces/{ns}/teams/{team}/members manage
DELETE /v1/namespaces/{ns}/teams/{team}/members/{account} manage
PUT /v1/namespaces/{ns}/teams/{team}/members/{account} manage
POST /v1/namespaces/{ns}/transfer own
GET /v1/openapi.json anyone
POST /v1/orgs signed-in
GET /v1/search anyone
GET /v1/uploads/{upload} signed-in
POST /v1/users anyone
POST /v1/users/verify-email signed-in
POST /v1/users/verify-email/resend signed-in
GET /v1/users/{account} signed-in
"""
NEEDS: Final = {(line.split()[0], line.split()[1]): line.split()[2] for line in PAGE.strip().splitlines()}
_PARTS: Final = "/v1/artifacts/{ns}/{name}/{version}/"
ASKED: Final = [
    (method, path)
    for (method, path), needs in NEEDS.items()
    if needs != "pull" or not path.startswith(_PARTS) or path == f"{_PARTS}layers"
]
"""The rows that whoever calls is answered by: one part of a version stands for all of them."""
_OWN: Final = ("/v1/api-keys", "/v1/auth/logout")


def path_of(path: str, home: str, account: str) -> str:
    """The path of a row, of a namespace, and its repository or artifact `app`."""
    whole = path.replace("{ns}", home.replace("/", "~")).replace("{repo}", quote(f"{home}/app", safe=""))
    for name, value in (
        ("name", "app"),
        ("version", "1.0.0"),
        ("upload", "1"),
        ("token", "x"),
        ("account", account),
        ("id", "1"),
        ("team", "crew"),
        ("robot", "nobody"),
    ):
        whole = whole.replace(f"{{{name}}}", value)
    return whole


def answer(case: Case, method: str, path: str) -> int | str:
    """`yes`, or the status of the refusal: registry tokens are none for /v1, and narrow keys change no account."""
    needs, sent = NEEDS[method, path], case.sent
    if case.is_bad or (sent.form == "token"):
        return 401
    if needs == "anyone":
        return "yes"
    if needs in {"signed-in", "administer"}:
        return 401 if case.is_anonymous else _of_registry(case, method, path, needs)
    held = case.rights("home", "app" if "{repo}" in path or "{name}" in path else "namespace")
    if needs in held:
        return "yes"
    if case.is_anonymous:
        return 401
    return 403 if "view" in held else 404


def _of_registry(case: Case, method: str, path: str, needs: str) -> int | str:
    sent = case.sent
    is_narrow = sent.namespaces is not None or sent.repositories is not None
    is_low = sent.scope in {"read-only", "publish"}
    if needs == "administer":
        return 403 if sent.who != "administrator" or is_low or is_narrow else "yes"
    if method == "GET" or path == "/v1/auth/logout":
        return "yes"
    return 403 if is_low or (is_narrow and not path.startswith(_OWN)) else "yes"
