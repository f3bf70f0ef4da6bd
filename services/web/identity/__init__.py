"""Who is signed in, what they may do, and what is written down of it.

Others use three names: `Person`, `signed_in(request)` and `need(role)`.
"""

from services.web.identity.access import Admin, Lead, Reader, need, signed_in
from services.web.identity.person import ROLES, SCOPES, Person, current

__all__ = ["ROLES", "SCOPES", "Admin", "Lead", "Person", "Reader", "current", "need", "signed_in"]
