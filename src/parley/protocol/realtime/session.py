"""A realtime conversation as a deterministic state machine: inputs in, outputs out, one deadline.

The one rule
------------
**Feed an input with the time, do every output it gives, in order, before feeding the next.** That is all:

    for output in session.handle(input, now):
        do(output)
    wake_me_at(session.deadline)          # then feed Tick()

The machine holds no clock, no task, no socket, no randomness and no audio. Time comes with each input, ids come from
the `IdSource` it was built with, audio passes by as sample counts (an engine's `AudioDelta` goes straight through to
`AudioOut`). So a recorded list of `(now, input)` replays to the same bytes: a bug report is a test (`recording`).

Nothing that arrives from outside makes it raise: a client's mistake becomes an `error` event to its sender; an engine's
failure becomes a `response.done` with status `failed`; chunks, transcripts and flushes that nobody waits for are
ignored.

Who owns what
-------------
    lane, turns        when a speaker's turn begins and ends, in samples of that lane
    hearing            lanes and recognition: user items and the five events of a spoken turn
    transcripts        what was recognised, and transcription events
    conversation       the chain of items
    editing            what clients do to it by hand
    mcp                MCP servers: their listings, approvals and approved calls
    responses          which responses there are, when each begins, why it ends
    response           one response's events
    playback, playout  what the user has heard; the round trip that stops speech
    context, planning  what a response is generated from
    usage              what it cost
    session (here)     connections, configuration, expiry, idle timeout, and the routing of inputs

Each piece of state has one owner; the others ask. Everything a sub-machine wants done goes into one `Effects`.

Time
----
`now` is used for exactly five things: session expiry, the idle timeout, the bounded waits (for a transcript, the turn
detector, a flush), and the estimate of what a client has played. Turns never look at it.

A session with no connection is a legal session. `handle` after the end gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from parley.protocol.realtime.client_events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from parley.protocol.realtime.conversation import Conversation
from parley.protocol.realtime.editing import Editing
from parley.protocol.realtime.effects import Effects
from parley.protocol.realtime.errors import ClientFault
from parley.protocol.realtime.goodbyes import Goodbye, at_the_time_limit, goodbye
from parley.protocol.realtime.hearing import Hearing, News, TurnTaken, VoiceBegan
from parley.protocol.realtime.ids import ConnectionId, ConversationId, IdSource, Ms, SessionId
from parley.protocol.realtime.inputs import (
    ClientEventReceived,
    ClientFaultReceived,
    Connected,
    Disconnected,
    EngineChunk,
    Input,
    LaneAdvanced,
    McpListingFailed,
    McpToolsListed,
    PlayoutDrained,
    PlayoutFlushed,
    PlayoutStarted,
    QuotasChanged,
    SessionExpired,
    StillTaken,
    Tick,
    TokensGranted,
    ToolFailed,
    ToolReturned,
    TranscriptFailed,
    TranscriptFinal,
    TranscriptPartial,
    TurnScored,
)
from parley.protocol.realtime.mcp import McpServers
from parley.protocol.realtime.outputs import Close, Output
from parley.protocol.realtime.planning import filled
from parley.protocol.realtime.playback import Pacing, Playback
from parley.protocol.realtime.prompts import PromptReference
from parley.protocol.realtime.responses import Responses
from parley.protocol.realtime.server_events import (
    Conversation as ConversationResource,
)
from parley.protocol.realtime.server_events import (
    ConversationCreated,
    RateLimitsUpdated,
    SessionCreated,
    SessionUpdated,
)
from parley.protocol.realtime.session_config import (
    ServerVad,
    SessionConfig,
    SessionObject,
    StoredPrompt,
    merged,
    session_object,
)
from parley.protocol.realtime.sizes import size_fault
from parley.protocol.realtime.transcripts import Transcripts

__all__ = ["RealtimeSession"]


class RealtimeSession:
    """One conversation endpoint. See the module's docstring for its one rule.

    `now` and every later `now` are of the same monotonic clock; `created_unix` is the wall-clock second that belongs to
    it. `needs_transcript`: the model's input is the recognised text (any cascade), so responses wait for it.
    `sees`: the model takes pictures; `camera`: a camera shows it some. `pacing`: whether the client or the server plays
    the assistant's audio.
    """

    def __init__(
        self,
        *,
        session_id: SessionId,
        config: SessionConfig,
        ids: IdSource,
        now: Ms,
        created_unix: int,
        max_session_ms: int,
        needs_transcript: bool = True,
        sees: bool = True,
        camera: bool = False,
        pacing: Pacing = "client",
        lanes: tuple[str, ...] = ("0",),
    ) -> None:
        self._session_id = session_id
        self._config = config
        self._max_session_ms = max_session_ms
        self._expires_at = Ms(now + max_session_ms)
        self._expires_unix = created_unix + max_session_ms // 1000
        self._finished = False
        self._idle_at: Ms | None = None
        self._idle_since_sample = 0
        self._conversation = Conversation()
        self._effects = Effects(ids, item_taken=lambda item_id: self._conversation.get(item_id) is not None)
        self._conversation_id = ConversationId(ids("conv"))
        self._transcripts = Transcripts(self._effects)
        self._playback = Playback(pacing)
        self._hearing = Hearing(
            self._effects,
            self._conversation,
            self._transcripts,
            lanes=lanes,
            config=config,
            needs_transcript=needs_transcript,
        )
        self._mcp = McpServers(self._effects, self._conversation)
        self._responses = Responses(
            effects=self._effects,
            conversation=self._conversation,
            conversation_id=self._conversation_id,
            playback=self._playback,
            mcp=self._mcp,
            needs_transcript=needs_transcript,
            sees=sees,
            camera=camera,
        )
        self._editing = Editing(
            self._effects,
            self._conversation,
            self._transcripts,
            self._playback,
            self._mcp,
            needs_transcript=needs_transcript,
        )

    @property
    def config(self) -> SessionConfig:
        """The configuration in force."""
        return self._config

    @property
    def finished(self) -> bool:
        """The session has closed its connections and ignores everything from now on."""
        return self._finished

    @property
    def deadline(self) -> Ms | None:
        """When the machine wants a `Tick` at the latest; None once it has finished."""
        if self._finished:
            return None
        waits = (self._expires_at, self._idle_at, self._hearing.deadline, self._responses.deadline)
        return min(wait for wait in waits if wait is not None)

    def handle(self, input: Input, now: Ms) -> list[Output]:
        """Take one input at `now`; give what is to be done about it, in order."""
        if self._finished:
            return []
        was_answering = self._responses.answering
        self._route(input, now)
        if not self._finished:
            self._pass_time(now)
        if not self._finished:
            self._watch_silence(now, was_answering=was_answering)
        return self._effects.drain()

    # --- inputs --------------------------------------------------------------------------------------------------

    def _route(self, input: Input, now: Ms) -> None:
        match input:
            case LaneAdvanced():
                self._act_on_all(self._hearing.advance(input, now), now)
            case EngineChunk():
                self._responses.take(input.response_id, input.chunk, now)
            case ClientEventReceived():
                fault = self._client_event(input, now)
                if fault is not None:
                    self._effects.fail(fault, input.connection, input.event.event_id)
            case ClientFaultReceived():
                self._effects.fail(input.fault, input.connection)
            case TurnScored():
                self._act_on_all(self._hearing.scored(input.item_id, input.probability, now), now)
            case Connected():
                self._greet(input.connection)
            case SessionExpired():
                self._finish(goodbye(input))
            case McpToolsListed() | McpListingFailed() | ToolReturned() | ToolFailed():
                self._tool_news(input)
            case QuotasChanged():
                self._tell_quotas(input)
            case Disconnected() | Tick():
                pass
            case _:
                self._report(input, now)

    def _report(
        self,
        input: TranscriptPartial
        | TranscriptFinal
        | TranscriptFailed
        | PlayoutStarted
        | PlayoutDrained
        | PlayoutFlushed
        | StillTaken
        | TokensGranted,
        now: Ms,
    ) -> None:
        """Take what recognisers, playback and the camera say, and whoever counts tokens."""
        match input:
            case TranscriptPartial():
                self._transcripts.partial(input.item_id, input.text, input.stable_chars)
            case TranscriptFinal():
                self._recognised(input)
            case TranscriptFailed():
                self._transcripts.failed(input.item_id, input.code, input.message)
            case PlayoutStarted():
                self._responses.playout_started(input.response_id, now)
            case PlayoutDrained():
                self._responses.playout_drained(input.response_id)
            case PlayoutFlushed():
                self._responses.playout_flushed(input.item_id, input.samples)
            case StillTaken():
                self._responses.still_taken(input.response_id, input.image_url)
            case TokensGranted():
                self._responses.tokens_granted(input.response_id, input.tokens)
            case _:
                assert_never(input)

    def _tool_news(self, input: McpToolsListed | McpListingFailed | ToolReturned | ToolFailed) -> None:
        """Take what the tools say that the server runs."""
        match input:
            case McpToolsListed():
                self._mcp.listed(input.item_id, input.tools)
            case McpListingFailed():
                self._mcp.not_listed(input.item_id, input.error)
            case ToolReturned(output=result) | ToolFailed(error=result):
                self._mcp.returned(input.item_id, result)
                self._responses.tool_returned(input.item_id, result)
            case _:
                assert_never(input)

    def _tell_quotas(self, changed: QuotasChanged) -> None:
        if self._config.type == "realtime":
            event_id = self._effects.event_id()
            self._effects.send(RateLimitsUpdated(event_id=event_id, rate_limits=changed.rate_limits))

    def _recognised(self, final: TranscriptFinal) -> None:
        reading = self._transcripts.final(final.item_id, final.text, final.seconds, final.logprobs)
        entry = self._conversation.get(final.item_id)
        if reading is not None and reading.on_wire and entry is not None:
            entry.write_transcript(reading.text)

    def _pass_time(self, now: Ms) -> None:
        """Do what the clock asks for."""
        if now >= self._expires_at:
            self._finish(at_the_time_limit(self._max_session_ms))
            return
        self._act_on_all(self._hearing.tick(now), now)
        self._responses.advance(self._config, now, voice=self._hearing.interrupting)

    # --- client events -------------------------------------------------------------------------------------------

    def _client_event(self, received: ClientEventReceived, now: Ms) -> ClientFault | None:
        event = received.event
        match event:
            case SessionUpdate():
                return self._update(event, received.prompt)
            case InputAudioBufferCommit():
                return self._commit(now)
            case InputAudioBufferClear():
                self._act_on_all(self._hearing.clear(now), now)
            case OutputAudioBufferClear():
                self._responses.clear_playback(now)
            case InputAudioBufferAppend():
                pass  # arrives as LaneAdvanced; nothing to do for the event itself
            case ResponseCreate():
                return self._create_response(event, received.prompt, now)
            case ResponseCancel():
                return self._responses.cancel(event.response_id)
            case _:
                return self._edit(event, received.connection, now)
        return None

    def _edit(
        self,
        event: ConversationItemCreate | ConversationItemRetrieve | ConversationItemDelete | ConversationItemTruncate,
        connection: ConnectionId,
        now: Ms,
    ) -> ClientFault | None:
        match event:
            case ConversationItemCreate():
                return self._editing.create(
                    event,
                    taken=self._hearing.promised(event.item.id),
                    format=self._config.audio.input.format,
                    options=self._hearing.options(),
                )
            case ConversationItemRetrieve():
                return self._editing.retrieve(event, connection)
            case ConversationItemDelete():
                return self._editing.delete(event)
            case ConversationItemTruncate():
                return self._editing.truncate(event, now)
            case _:
                assert_never(event)

    def _update(self, event: SessionUpdate, prompt: StoredPrompt | None) -> ClientFault | None:
        wanted = event.session.type
        if isinstance(wanted, str) and wanted != self._config.type:
            return ClientFault(
                code="invalid_value",
                message=f"The type of a session cannot be changed from '{self._config.type}' to '{wanted}': "
                "open a new session for that.",
                param="session.type",
            )
        # DEVIATION: the vendor refuses a new voice once audio was produced, and the whole update with it. Here it
        # applies from the next response.
        named = event.session.prompt
        if isinstance(named, PromptReference) and prompt is None:
            return _no_such_prompt(named, "session.prompt.id")
        tools = event.session.tools
        if isinstance(tools, tuple) and (fault := self._mcp.fault(tools, "session.tools")) is not None:
            return fault
        settled = merged(self._config, prompt.settings) if prompt is not None else self._config
        changed = merged(settled, event.session)
        if (fault := size_fault(self._resource(changed), "session")) is not None:
            return fault
        self._config = changed
        self._hearing.configure(self._config)
        self._effects.send(SessionUpdated(event_id=self._effects.event_id(), session=self._resource()))
        self._mcp.ask(self._config.tools)
        return None

    def _commit(self, now: Ms) -> ClientFault | None:
        for news in self._hearing.commit(now):
            if isinstance(news, ClientFault):
                return news
            self._act_on(news, now)
        return None

    def _create_response(self, event: ResponseCreate, prompt: StoredPrompt | None, now: Ms) -> ClientFault | None:
        if self._config.type == "transcription":
            return ClientFault(
                code="invalid_value",
                message="A transcription session has no responses: open a session of type 'realtime' for "
                "response.create.",
                param="type",
            )
        params = event.response
        if params.prompt is not None:
            if prompt is None:
                return _no_such_prompt(params.prompt, "response.prompt.id")
            params = filled(params, prompt)
        tools = params.tools
        if isinstance(tools, tuple):
            if (fault := self._mcp.fault(tools, "response.tools")) is not None:
                return fault
            self._mcp.ask(tools)
        return self._responses.create(params, self._config, now)

    # --- what is heard -------------------------------------------------------------------------------------------

    def _act_on_all(self, all_news: Iterator[News], now: Ms) -> None:
        for news in all_news:
            self._act_on(news, now)

    def _act_on(self, news: News, now: Ms) -> None:
        detection = self._config.audio.input.turn_detection
        match news:
            case VoiceBegan():
                self._idle_at = None
                if detection is not None and detection.interrupt_response:
                    self._responses.interrupt(now)
            case TurnTaken():
                wanted = news.by_voice and detection is not None and detection.create_response
                if wanted and self._config.type == "realtime":
                    self._responses.answer(news.item_id, now)
            case _:
                assert_never(news)

    def _watch_silence(self, now: Ms, *, was_answering: bool) -> None:
        """Run the idle timeout: from the end of a response, played out, to the next voice or response."""
        detection = self._config.audio.input.turn_detection
        timeout_ms = detection.idle_timeout_ms if isinstance(detection, ServerVad) else None
        if timeout_ms is None or self._responses.answering or self._config.type != "realtime":
            self._idle_at = None
        elif was_answering and not self._hearing.interrupting:
            self._idle_at = Ms(now + self._playback.remaining_ms(now) + timeout_ms)
            self._idle_since_sample = self._hearing.received_samples()
        elif self._idle_at is not None and now >= self._idle_at:
            self._idle_at = None
            item_id = self._hearing.take_silence(self._idle_since_sample)
            self._responses.answer(item_id, now, wordless=True)
            self._responses.advance(self._config, now, voice=False)

    # --- connections and the end ---------------------------------------------------------------------------------

    def _greet(self, connection: ConnectionId) -> None:
        self._effects.send(SessionCreated(event_id=self._effects.event_id(), session=self._resource()), connection)
        if self._config.type == "realtime":
            resource = ConversationResource(id=self._conversation_id)
            self._effects.send(
                ConversationCreated(event_id=self._effects.event_id(), conversation=resource), connection
            )
            self._mcp.ask(self._config.tools)

    def _resource(self, config: SessionConfig | None = None) -> SessionObject:
        """Give the session as it is echoed; with `config`, as it would be."""
        return session_object(config or self._config, session_id=self._session_id, expires_at=self._expires_unix)

    def _finish(self, last: Goodbye) -> None:
        """End whatever still runs, say why, and close."""
        self._responses.fail_all(last.fault.code, last.fault.message)
        self._transcripts.drop_all()
        self._mcp.abandon_all()
        if not last.is_ordinary:
            self._effects.fail(last.fault, None)
        self._effects.add(Close(last.close_code, last.fault.message))
        self._finished = True


def _no_such_prompt(prompt: PromptReference, param: str) -> ClientFault:
    version = f" in version '{prompt.version}'" if prompt.version else ""
    return ClientFault(
        code="prompt_not_found",
        message=f"This server has no stored prompt '{prompt.id}'{version}.",
        param=param,
    )
