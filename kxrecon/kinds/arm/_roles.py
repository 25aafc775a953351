"""Azure's built-in roles that matter here, by name and GUID, and which of them include another.

Source: learn.microsoft.com, Azure built-in roles.
"""

from __future__ import annotations

from collections.abc import Mapping

from kxrecon.principals import is_guid

ROLES: Mapping[str, str] = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Delegator": "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
    "Storage Account Contributor": "17d1049b-9a84-46fb-8f53-869881c3d3ab",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Table Data Reader": "76199698-9eea-4c19-bc75-cec21354c6b6",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Managed Identity Contributor": "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
}
GUIDS = {name.lower(): guid for name, guid in ROLES.items()}
NAMES = {guid: name for name, guid in ROLES.items()}

_OWNER, _CONTRIBUTOR, _READER = (ROLES[f"Storage Blob Data {word}"] for word in ("Owner", "Contributor", "Reader"))
# Roles whose data actions include those of another. Owner and Contributor have no data actions at all.
WIDER = {
    _CONTRIBUTOR: (_CONTRIBUTOR, _OWNER),
    _READER: (_READER, _CONTRIBUTOR, _OWNER),
}


def role_guid(role: str) -> str | None:
    """The GUID of a role given by its built-in name or by GUID; None for a name that is not built in."""
    return role.lower() if is_guid(role) else GUIDS.get(role.strip().lower())
