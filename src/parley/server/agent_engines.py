"""Engines that agents bring along: made when a first session needs one, shared by all agents that ask for the same.

A model server that is down does not keep sessions out: responses then say what is wrong, and it is warmed up again for
the next session. Neighbours: `session_door` (asks), `engine_room` (closes them with the server's own).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

from parley.agents.agent import Agent
from parley.engines.base import ChatModel, Engine, EngineError, EngineSet, Recognizer, Synthesizer
from parley.engines.cascade import Cascade
from parley.engines.catalog import StageSettings, engine_prices
from parley.engines.prices import Prices

__all__ = ["AgentEngines"]

log = logging.getLogger(__name__)

Key = tuple[str, StageSettings]


class AgentEngines:
    """See the module. `build` makes one stage's engine; it may block and runs on a thread."""

    def __init__(self, build: Callable[[str, StageSettings], Engine]) -> None:
        self._build = build
        self._made: dict[Key, Engine] = {}
        self._warm: set[Key] = set()
        self._making = asyncio.Lock()

    async def set_for(self, agent: Agent, common: EngineSet) -> EngineSet:
        """Give the engines of `agent`, `common` where it has none of its own. Raises `EngineError`."""
        if not agent.engines:
            return common
        own = {stage: await self._engine((stage, wanted)) for stage, wanted in agent.engines.items()}
        chat = cast("ChatModel", own.get("llm", common.chat))
        synthesizer = cast("Synthesizer", own.get("tts", common.synthesizer))
        recognizer = cast("Recognizer", own.get("stt", common.recognizer))
        thinks_anew = "llm" in own or "tts" in own
        responder = Cascade(chat, synthesizer) if thinks_anew else common.responder
        prices = self._prices(agent, common.prices)
        return replace(
            common, recognizer=recognizer, chat=chat, synthesizer=synthesizer, responder=responder, prices=prices
        )

    def _prices(self, agent: Agent, common: Prices) -> Prices:
        """Take an agent's own prices for its own stages."""
        own = engine_prices(agent.engines)
        changes: dict[str, Any] = {}
        if "llm" in agent.engines:
            changes |= {"input": own.input, "cached": own.cached, "output": own.output}
        if "stt" in agent.engines:
            changes["heard_minute"] = own.heard_minute
        if "tts" in agent.engines:
            changes["spoken_minute"] = own.spoken_minute
        return replace(common, currency=own.currency if own.known else common.currency, **changes)

    async def _engine(self, key: Key) -> Engine:
        async with self._making:
            engine = self._made.get(key)
            if engine is None:
                with ThreadPoolExecutor(1, "parley-build") as pool:
                    engine = await asyncio.get_running_loop().run_in_executor(pool, self._build, *key)
                self._made[key] = engine
            if key not in self._warm:
                await self._warm_up(key, engine)
            return engine

    async def _warm_up(self, key: Key, engine: Engine) -> None:
        try:
            await engine.warm_up()
        except EngineError as error:
            log.warning("engine is not ready", extra={"stage": key[0], "code": error.code})
        else:
            self._warm.add(key)

    async def aclose(self) -> None:
        """Free them all."""
        made, self._made = self._made, {}
        for engine in made.values():
            await engine.aclose()
