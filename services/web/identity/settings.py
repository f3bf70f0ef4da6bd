"""Settings of sign-in: part of the reading room's."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field

from services.web.dicom.settings import LOOPBACK, DicomSettings


class IdentitySettings(DicomSettings):
    """Who may sign in, and for how long."""

    reader: str = Field(
        default="reader",
        min_length=1,
        max_length=128,
        description="The one person whom `make run` signs in by itself while no users file or provider is set.",
    )
    users_file: str = Field(
        default="", description="Users of a small site, made by `hilum users`; its mode lets nobody else in."
    )
    oidc_issuer: str = Field(
        default="", description="OpenID provider: the issuer's address (https://id.example.org/realms/hospital)."
    )
    oidc_client_id: str = Field(default="hilum", description="Our client id at the provider.")
    oidc_client_secret_file: str = Field(
        default="", description="File with the client's secret; empty: a public client, by PKCE alone."
    )
    oidc_scope: str = Field(default="openid profile", description="Scopes asked of the provider.")
    oidc_title: str = Field(default="the hospital's account", description="What the page to sign in calls it.")
    oidc_name_claim: str = Field(default="preferred_username", description="Claim with the name that reads bear.")
    oidc_roles_claim: str = Field(
        default="roles", description="Claim of the ID token with the roles; dots lead inside (realm_access.roles)."
    )
    oidc_role_reader: str = Field(default="hilum-reader", description="The provider's word for a reader.")
    oidc_role_lead: str = Field(default="hilum-lead", description="The provider's word for a lead.")
    oidc_role_admin: str = Field(default="hilum-admin", description="The provider's word for an admin.")
    public_url: str = Field(
        default="", description="Address that people type (https://reading.example.org); needed beyond loopback."
    )
    allowed_hosts: str = Field(
        default="", description="More names that requests may ask for, with commas (the service's own in a cluster)."
    )
    trusted_proxies: str = Field(
        default="127.0.0.1", description="Proxies whose word about a client's address is taken, with commas."
    )
    requests_per_second: float = Field(
        default=50.0, gt=0, description="Requests of one session or token; ten times as many at once. More get 429."
    )
    session_idle_minutes: float = Field(default=30.0, gt=0, description="A session without any act is over.")
    session_longest_hours: float = Field(default=12.0, gt=0, description="A session is over, however busy.")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def signs_in(self) -> bool:
        """Whether people have to sign in; else the one person of `make run` is signed in by itself."""
        return bool(self.users_file or self.oidc_issuer)

    @property
    def behind_tls(self) -> bool:
        """Whether browsers reach the service by https."""
        return self.public_url.lower().startswith("https://")

    @property
    def host_names(self) -> frozenset[str]:
        """Names that a request's Host may have."""
        more = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        public = urlsplit(self.public_url).hostname
        return frozenset(more | ({public} if public else set()) | (LOOPBACK if self.on_loopback else set()))
