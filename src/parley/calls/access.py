"""Who asks the Calls API, and what they may do: a secret everything, a client token what it was minted for.

Neighbours: `tokens` (keeps them), `service` (asks before it acts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parley.calls.app import CallsApp, Member
from parley.calls.faults import CallsFault
from parley.calls.tokens import TOKEN_PREFIX, TokenScope, TokenStore
from parley.calls.transceiver import Source

__all__ = ["Access", "authorize"]


@dataclass(frozen=True, slots=True)
class Access:
    """An app, and for the bearer of a token its bounds."""

    app: CallsApp
    scope: TokenScope | None = None

    def check_secret(self) -> None:
        """Refuse a token where only the app's secret will do."""
        if self.scope is not None:
            raise _forbidden("A client token may not do this. Send the app's secret, from your own server.")

    def check_new_session(self, *, third_party: bool = False) -> None:
        """Refuse a session that the token may not make."""
        if self.scope is None:
            return
        if third_party and self.scope.listens_only:
            raise _forbidden(
                "This token may only listen: it may not make a third-party session. Use the app's secret, from your "
                "own server."
            )
        if self.scope.session_id is not None:
            raise _forbidden("This token is bound to one session and may not make another.")
        owned = sum(member.owner == self.scope.token_id for member in self.app.members.values())
        if owned >= self.scope.max_sessions:
            raise _forbidden(f"{owned} sessions of this token live already, of at most {self.scope.max_sessions}.")

    def check_session(self, member: Member) -> None:
        """Refuse a session that is not the token's."""
        if self.scope is None or member.session.session_id == self.scope.session_id:
            return
        if self.scope.session_id is not None or member.owner != self.scope.token_id:
            raise _forbidden(
                "This token may not act on this session: it is bound to another, or did not make this one."
            )

    def check_publish(self, names: Iterable[str]) -> None:
        """Refuse tracks that the token may not publish."""
        for name in names if self.scope else ():
            if self.scope and not self.scope.may_publish(name):
                raise _forbidden(f"This token may not publish {name[:64]!r}. Mint one whose `publish` lists the name.")

    def check_pull(self, sources: Iterable[Source]) -> None:
        """Refuse tracks that the token may not pull."""
        for source in sources if self.scope else ():
            if self.scope and not self.scope.may_pull(source):
                raise _forbidden(
                    f"This token may not pull {source.track_name[:64]!r} of that session. Mint one whose `pull` has it."
                )

    def check_channels(self) -> None:
        """Refuse data channels, and answers on those of others, to a token that may only listen."""
        if self.scope is not None and self.scope.listens_only:
            raise _forbidden(
                "This token may only listen: it may neither publish data channels nor answer on them (canReply). Mint "
                "one without `listenOnly`."
            )


def authorize(apps: Mapping[str, CallsApp], tokens: TokenStore, app_id: str, bearer: str | None) -> Access:
    """Recognise the app and the bearer of a credential, given without the word `Bearer`. Raises `CallsFault`."""
    if not bearer:
        raise _unauthorized("No secret was sent. Send `Authorization: Bearer SECRET` with the app's secret or a token.")
    app = apps.get(app_id)
    if app is None:
        words = "No such app. Start the server with --calls-app ID:SECRET and use that ID in the URL."
        raise CallsFault(404, "not_found", words)
    if bearer.startswith(TOKEN_PREFIX):
        scope = tokens.find(bearer)
        if scope is None or scope.app_id != app_id:
            raise _unauthorized("The client token is unknown, expired, or of another app. Mint a new one: POST tokens.")
        return Access(app, scope)
    if not app.accept(bearer):
        raise _unauthorized("This is not the secret of this app. Send the one that --calls-app names.")
    return Access(app)


def _unauthorized(description: str) -> CallsFault:
    return CallsFault(401, "unauthorized", description)


def _forbidden(description: str) -> CallsFault:
    return CallsFault(403, "forbidden", description)
