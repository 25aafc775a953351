"""Data Lake Storage Gen2 on loopback: access control lists of directories, ``/account/filesystem/path``.

A bare sandbox treats every path below an existing file system as an existing directory when it is first
asked for (real accounts are full of directories that nobody wrote into an inventory); a strict one
answers 404 PathNotFound until the directory was created.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from email.utils import format_datetime
from functools import partial
from typing import Any
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from kxrecon.sandbox import acl, switches
from kxrecon.sandbox.arm.rights import caller_roles, grants_content
from kxrecon.sandbox.store import Document
from kxrecon.sandbox.world import World

SUPERUSER = "$superuser"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
Key = tuple[str, str, str]
Answered = tuple[int, Document | None, dict[str, str]]


class Refusal(Exception):
    """A refusal of the storage service: status, its code (also in ``x-ms-error-code``), words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class DfsApp:
    """The dfs endpoints of all accounts of one sandbox, told apart by the first segment."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI entry point."""
        request = Request(environ)
        try:
            with self._world.store.transaction():
                status, body, headers = self._run(request)
        except Refusal as refusal:
            body = {"error": {"code": refusal.code, "message": f"{refusal.message}\nRequestId:{uuid4()}"}}
            status, headers = refusal.status, {"x-ms-error-code": refusal.code}
        content = b"" if body is None else json.dumps(body).encode()
        response = Response(content, status, content_type="application/json;charset=utf-8" if content else None)
        response.headers.extend({"x-ms-version": "2023-11-03", "x-ms-request-id": str(uuid4()), **headers})
        return response(environ, start_response)

    def _run(self, request: Request) -> Answered:
        segments = [part for part in request.path.split("/") if part]
        if any(ord(char) < 32 for char in request.path):
            raise Refusal(400, "InvalidUri", "The request URI is invalid.")
        if len(segments) < 2:
            raise Refusal(400, "InvalidUri", "The request URI is invalid: an account and a file system are needed.")
        key = (segments[0].lower(), segments[1], "/" + "/".join(segments[2:]))
        run = self._operation(request)
        self._check_place(key, creating=request.args.get("resource") == "filesystem" and request.method == "PUT")
        return run(key, request)

    def _operation(self, request: Request) -> Callable[[Key, Request], Answered]:
        action = request.args.get("action") or request.args.get("resource") or ""
        found = {
            ("HEAD", "getAccessControl"): self.get_access,
            ("HEAD", "getStatus"): self.status,
            ("HEAD", ""): self.status,
            ("GET", "filesystem"): self.list_paths,
            ("PATCH", "setAccessControl"): self.set_access,
            ("PATCH", "setAccessControlRecursive"): self.set_access_recursive,
            ("PUT", "directory"): self.create_directory,
            ("PUT", "filesystem"): self.create_filesystem,
            ("DELETE", ""): self.delete,
        }.get((request.method, action))
        if not found:
            raise Refusal(400, "InvalidQueryParameterValue", f"'{action}' with {request.method} is not imitated.")
        return found

    def _check_place(self, key: Key, creating: bool) -> None:
        account = self._world.store.get("account", key[0])
        if not account:
            raise Refusal(404, "ResourceNotFound", f"The account '{key[0]}' does not exist.")
        if not account.get("hns"):
            raise Refusal(400, "HierarchicalNamespaceNotEnabled", "The account has no hierarchical namespace.")
        if not creating and not self._world.store.get("container", key[0], key[1]):
            raise Refusal(404, "FilesystemNotFound", "The specified filesystem does not exist.")

    def get_access(self, key: Key, request: Request) -> Answered:
        """Path - Get Properties with action=getAccessControl."""
        self._require(key, "read")
        document = self._existing(key)
        headers = {
            "x-ms-owner": document["owner"],
            "x-ms-group": document["group"],
            "x-ms-permissions": acl.permissions(acl.parse(document["acl"])),
            "x-ms-acl": document["acl"],
        }
        return 200, None, headers | self._stamps(document)

    def status(self, key: Key, request: Request) -> Answered:
        """Path - Get Properties."""
        self._require(key, "read")
        document = self._existing(key)
        headers = {"x-ms-resource-type": "directory", "x-ms-meta-hdi_isfolder": "true"}
        return 200, None, headers | self._stamps(document)

    def set_access(self, key: Key, request: Request) -> Answered:
        """Path - Update with action=setAccessControl: the whole list, or owner, group, permissions."""
        document = self._existing(key)
        self._require(key, "modifyPermissions/action", owner=document["owner"])
        self._match(request, document)
        listed, chmod = request.headers.get("x-ms-acl"), request.headers.get("x-ms-permissions")
        if listed is not None and chmod is not None:
            raise Refusal(400, "InvalidInput", "x-ms-acl and x-ms-permissions exclude each other.")
        if listed is not None:
            document["acl"] = self._new_acl(lambda: acl.replaced(acl.parse(listed)))
        if chmod is not None:
            document["acl"] = self._new_acl(lambda: acl.from_permissions(chmod, acl.parse(document["acl"])))
        document["owner"] = request.headers.get("x-ms-owner", document["owner"])
        document["group"] = request.headers.get("x-ms-group", document["group"])
        return 200, None, self._stamps(self._save(key, document))

    def set_access_recursive(self, key: Key, request: Request) -> Answered:
        """Path - Update with action=setAccessControlRecursive: set, modify or remove on a whole tree."""
        document = self._existing(key)
        self._require(key, "modifyPermissions/action", owner=document["owner"])
        mode, listed = request.args.get("mode"), request.headers.get("x-ms-acl") or ""
        tree = [(name, one) for name, one in self._world.store.all("path", *key[:2]) if _below(name[2], key[2])]
        for name, one in tree:
            changed = self._new_acl(partial(_moded, mode, one["acl"], listed))
            self._save((name[0], name[1], name[2]), {**one, "acl": changed})
        body = {"directoriesSuccessful": len(tree), "filesSuccessful": 0, "failureCount": 0, "failedEntries": []}
        return 200, body, {}

    def create_directory(self, key: Key, request: Request) -> Answered:
        """Path - Create with resource=directory; missing parents come into being too."""
        self._require(key, "write")
        existing = self._world.store.get("path", *key)
        if existing and request.headers.get("If-None-Match") == "*":
            raise Refusal(409, "PathAlreadyExists", "The specified path already exists.")
        return 201, None, self._stamps(existing or self._make(key))

    def create_filesystem(self, key: Key, request: Request) -> Answered:
        """Filesystem - Create."""
        self._require(key, "write")
        if self._world.store.get("container", *key[:2]):
            raise Refusal(409, "FilesystemAlreadyExists", "The specified filesystem already exists.")
        document = {"etag": _etag(), "modified": self._world.stamp()}
        self._world.store.put("container", key[:2], document)
        return 201, None, self._stamps(document)

    def list_paths(self, key: Key, request: Request) -> Answered:
        """Path - List."""
        self._require(key, "read")
        at = "/" + (request.args.get("directory") or "").strip("/")
        deep = (request.args.get("recursive") or "").lower() == "true"
        rows = [
            (name[2], one)
            for name, one in self._world.store.all("path", *key[:2])
            if _below(name[2], at) and name[2] != at
        ]
        paths = [_listed(path, one) for path, one in rows if deep or "/" not in path[len(at.rstrip("/")) + 1 :]]
        return 200, {"paths": paths}, {}

    def delete(self, key: Key, request: Request) -> Answered:
        """Path - Delete."""
        self._require(key, "delete")
        self._existing(key)
        for name, _ in self._world.store.all("path", *key[:2]):
            if _below(name[2], key[2]):
                self._world.store.delete("path", *name)
        return 200, None, {}

    def _existing(self, key: Key) -> Document:
        """The directory; in a bare sandbox it comes into being when it is first asked for."""
        found = self._world.store.get("path", *key)
        if found:
            return found
        if key[2] != "/" and switches.load(self._world.store).strict:
            raise Refusal(404, "PathNotFound", "The specified path does not exist.")
        return self._make(key)

    def _make(self, key: Key) -> Document:
        """Create a directory and its missing parents; default entries of the parent are inherited."""
        account, filesystem, path = key
        if path == "/":
            return self._save(key, {"owner": SUPERUSER, "group": SUPERUSER, "acl": acl.ROOT})
        above = (account, filesystem, path.rpartition("/")[0] or "/")
        parent = self._world.store.get("path", *above) or self._make(above)
        listed = acl.text(acl.inherited(acl.parse(parent["acl"])))
        return self._save(key, {"owner": SUPERUSER, "group": parent["group"], "acl": listed})

    def _save(self, key: Key, document: Document) -> Document:
        fresh = {**document, "etag": _etag()}
        self._world.store.put("path", key, fresh)
        return fresh

    def _stamps(self, document: Document) -> dict[str, str]:
        modified = format_datetime(self._world.clock.now(), usegmt=True)
        return {"ETag": document["etag"], "Last-Modified": modified}

    def _new_acl(self, make: Callable[[], acl.Acl]) -> str:
        try:
            return acl.text(make())
        except acl.BadAcl as error:
            raise Refusal(
                400, "InvalidHeaderValue", f"The value of x-ms-acl is not in the correct format: {error}."
            ) from None

    def _match(self, request: Request, document: Document) -> None:
        expected = request.headers.get("If-Match")
        if expected and expected != "*" and expected.strip('"') != document["etag"].strip('"'):
            raise Refusal(
                412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
            )

    def _require(self, key: Key, action: str, owner: str = "") -> None:
        """403 unless a data role of the caller allows it, or the caller owns the item."""
        account = self._world.store.get("account", key[0]) or {}
        scope = f"{account.get('resourceId', '')}/blobServices/default/containers/{key[1]}"
        roles = caller_roles(self._world, scope)
        if roles is None or (owner and owner == self._world.caller.get("objectId")):
            return
        if not grants_content(roles, f"{_BLOBS}/{action}"):
            message = "This request is not authorized to perform this operation using this permission."
            raise Refusal(403, "AuthorizationPermissionMismatch", message)


def _moded(mode: str | None, current: str, listed: str) -> acl.Acl:
    if mode == "set":
        return acl.replaced(acl.parse(listed))
    if mode == "modify":
        return acl.merged(acl.parse(current), acl.parse(listed))
    if mode == "remove":
        return acl.without(acl.parse(current), acl.parse(listed, bits=False))
    raise Refusal(400, "InvalidQueryParameterValue", f"The mode '{mode}' is none of set, modify, remove.")


def _below(path: str, top: str) -> bool:
    return path == top or top == "/" or path.startswith(top + "/")


def _listed(path: str, document: Document) -> Document:
    return {
        "name": path.lstrip("/"),
        "isDirectory": "true",
        "owner": document["owner"],
        "group": document["group"],
        "permissions": acl.permissions(acl.parse(document["acl"])),
        "etag": document["etag"].strip('"'),
        "contentLength": "0",
    }


def _etag() -> str:
    return f'"0x{uuid4().hex[:15].upper()}"'
