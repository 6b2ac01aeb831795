import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLog, exported, filtered } from "../lib/event_log.js";
import { closeFault, microphoneFault } from "../lib/faults.js";
import { LatencyBook, median } from "../lib/latency.js";
import { type Facts, phaseOf } from "../lib/phase.js";
import { realtimeUrl } from "../lib/page_api.js";
import { Responses } from "../lib/responses.js";
import { type Tool, ToolBox, toolProblem } from "../lib/toolbox.js";

// --- responses --------------------------------------------------------------------------------------------------------

test("a wish is due at once when nothing runs, and only once", () => {
  const responses = new Responses();
  responses.want({ instructions: "greet" });
  assert.deepEqual(responses.due(), { instructions: "greet" });
  responses.sent("e1");
  assert.equal(responses.due(), undefined);
  responses.created("r1");
  assert.equal(responses.busy, true);
  responses.done("r1");
  assert.equal(responses.busy, false);
});

test("a wish waits for the running response", () => {
  const responses = new Responses();
  responses.created("r1");
  responses.want({});
  assert.equal(responses.due(), undefined);
  responses.done("r1");
  assert.deepEqual(responses.due(), {});
});

test("a wish waits while the person speaks, and is met by the response the server then makes", () => {
  const responses = new Responses();
  responses.speechStarted();
  responses.want({});
  assert.equal(responses.due(), undefined);
  responses.created("r1");
  responses.done("r1");
  assert.equal(responses.due(), undefined);
});

test("a turn in which nothing was said lets the waiting wish go on", () => {
  const responses = new Responses();
  responses.speechStarted();
  responses.want({});
  responses.nothingSaid();
  assert.deepEqual(responses.due(), {});
});

test("a request refused because another response runs is tried again, one refused for its own fault is not", () => {
  for (const [code, again] of [["conversation_already_has_active_response", true], ["invalid_value", false]] as const) {
    const responses = new Responses();
    responses.want({});
    responses.sent("e1");
    responses.refused("other", code);
    assert.equal(responses.due(), undefined, "somebody else's error");
    responses.refused("e1", code);
    assert.equal(responses.due() !== undefined, again);
  }
});

// --- latency ----------------------------------------------------------------------------------------------------------

test("a spoken turn is measured from the end of the voice to the first sound", () => {
  const book = new LatencyBook();
  book.speechStopped(1000);
  book.responseCreated("r");
  book.audioArrived("r", 1300);
  book.audioArrived("r", 1400);
  book.soundStarted("r", 1340);
  book.responseDone("r", { first_audio_ms: 250 });
  assert.deepEqual(book.turns, [
    { responseId: "r", from: "voice", toSoundMs: 340, toAudioMs: 300, windowMs: 500, server: { first_audio_ms: 250 } },
  ]);
});

test("the answer after a function call is measured from the person's turn", () => {
  const book = new LatencyBook();
  book.speechStopped(1000);
  book.responseCreated("call");
  book.responseDone("call", undefined);
  book.requested(1100);
  book.responseCreated("answer");
  book.audioArrived("answer", 1500);
  book.soundStarted("answer", 1520);
  assert.equal(book.of("answer")?.from, "voice");
  assert.equal(book.of("answer")?.toSoundMs, 520);
});

test("new speech begins a new count", () => {
  const book = new LatencyBook();
  book.speechStopped(0);
  book.abandoned();
  book.requested(5000);
  book.responseCreated("r");
  book.audioArrived("r", 5100);
  assert.equal(book.of("r")?.from, "request");
  assert.equal(book.of("r")?.toAudioMs, 100);
});

test("median of odd, even and no values", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([]), undefined);
});

// --- phase ------------------------------------------------------------------------------------------------------------

const OPEN: Facts = { stage: "open", userSpeaking: false, awaiting: false, sounding: false, interrupted: false };

for (const [facts, phase] of [
  [{ ...OPEN, stage: "idle" }, "idle"],
  [{ ...OPEN, stage: "permission" }, "permission"],
  [{ ...OPEN, stage: "connecting" }, "connecting"],
  [{ ...OPEN, stage: "failed", sounding: true }, "error"],
  [OPEN, "listening"],
  [{ ...OPEN, awaiting: true }, "thinking"],
  [{ ...OPEN, awaiting: true, userSpeaking: true }, "listening"],
  [{ ...OPEN, awaiting: true, sounding: true }, "speaking"],
  [{ ...OPEN, userSpeaking: true, interrupted: true }, "interrupted"],
] as const) {
  test(`phase ${phase} from ${JSON.stringify(facts)}`, () => assert.equal(phaseOf(facts), phase));
}

// --- faults -----------------------------------------------------------------------------------------------------------

test("what a browser says about the microphone", () => {
  const kind = (name: string): string => microphoneFault({ name }).kind;
  assert.equal(kind("NotAllowedError"), "microphone-denied");
  assert.equal(kind("NotFoundError"), "microphone-missing");
  assert.equal(kind("NotReadableError"), "microphone-busy");
  assert.equal(kind("OverconstrainedError"), "microphone-missing");
});

test("what the end of a connection means", () => {
  const kind = (code: number, error?: string): string => closeFault({ code, reason: "" }, error ? { code: error, message: "m" } : undefined).kind;
  assert.equal(kind(1001, "session_expired"), "session-expired");
  assert.equal(kind(3000, "invalid_api_key"), "sign-in-needed");
  assert.equal(kind(1006), "server-gone");
  assert.equal(kind(1001), "server-gone");
  assert.equal(kind(1013), "at-capacity");
  assert.equal(kind(1013, "server_starting"), "server-starting");
  assert.equal(kind(4000, "invalid_model"), "refused");
  assert.equal(closeFault({ code: 1006, reason: "r" }, undefined).detail, "r");
});

// --- tools ------------------------------------------------------------------------------------------------------------

const tool = (run: Tool["run"], more: Partial<Tool> = {}): Tool => ({ name: "f", description: "d", parameters: { type: "object" }, run, ...more });

test("a call is run with its arguments and answered with text or JSON", async () => {
  const box = new ToolBox([tool((args) => args)]);
  assert.deepEqual(await box.call("f", '{"a":1}'), { output: '{"a":1}', failed: false, endsSession: false });
  assert.equal((await new ToolBox([tool(() => "text")]).call("f", "")).output, "text");
  assert.equal((await new ToolBox([tool(() => undefined)]).call("f", "{}")).output, '{"ok":true}');
});

test("whatever goes wrong becomes an output that names it", async () => {
  const box = new ToolBox([tool(() => { throw new Error("No such colour."); }, { endsSession: true })]);
  for (const [name, args, message] of [["f", "{}", /No such colour/], ["g", "{}", /no function called g/], ["f", "{", /not JSON/], ["f", "[]", /JSON object/]] as const) {
    const outcome = await box.call(name, args);
    assert.match(outcome.output, message);
    assert.deepEqual([outcome.failed, outcome.endsSession], [true, false]);
  }
});

test("definitions are what the wire wants", () => {
  assert.deepEqual(new ToolBox([tool(() => "")]).definitions(), [{ type: "function", name: "f", description: "d", parameters: { type: "object" } }]);
});

test("a tool that a person typed is checked before it is used", () => {
  assert.equal(toolProblem({ name: "f", parameters: '{"type":"object"}' }, ["g"]), undefined);
  assert.match(toolProblem({ name: "1f", parameters: "{}" }, []) ?? "", /letter first/);
  assert.match(toolProblem({ name: "f", parameters: "{}" }, ["f"]) ?? "", /already/);
  assert.match(toolProblem({ name: "f", parameters: "{" }, []) ?? "", /not JSON/);
  assert.match(toolProblem({ name: "f", parameters: "[]" }, []) ?? "", /object/);
});

// --- event log --------------------------------------------------------------------------------------------------------

const append = (bytes: number): object => ({ type: "input_audio_buffer.append", audio: Buffer.alloc(bytes).toString("base64") });

test("runs of audio are one row, and their bytes are not kept", () => {
  const log = new EventLog();
  for (let i = 0; i < 10; i++) log.add("sent", append(1920), i);
  log.add("received", { type: "error", error: {} }, 10);
  log.add("sent", append(1920), 11);
  assert.deepEqual(log.rows.map((row) => [row.type, row.repeats, row.audioMs]), [
    ["input_audio_buffer.append", 9, 400],
    ["error", 0, 0],
    ["input_audio_buffer.append", 0, 40],
  ]);
  assert.equal(log.rows[0]?.event["audio"], "<1920 bytes of audio>");
});

test("the log is bounded and loses its oldest rows", () => {
  const log = new EventLog(3);
  for (let i = 0; i < 5; i++) log.add("sent", { type: `t${i}` }, i);
  assert.deepEqual(log.rows.map((row) => row.type), ["t2", "t3", "t4"]);
});

test("filter by text in type or content, by direction, and with or without audio", () => {
  const log = new EventLog();
  log.add("sent", append(96), 0);
  log.add("sent", { type: "session.update", session: { voice: "Ash" } }, 1);
  log.add("received", { type: "session.updated" }, 2);
  const types = (text: string, direction: "both" | "sent" | "received", audio = false): string[] =>
    filtered(log.rows, { text, direction, audio }).map((row) => row.type);
  assert.deepEqual(types("", "both"), ["session.update", "session.updated"]);
  assert.deepEqual(types("", "both", true).length, 3);
  assert.deepEqual(types("ASH", "both"), ["session.update"]);
  assert.deepEqual(types("session", "received"), ["session.updated"]);
});

test("an export is one JSON object per line", () => {
  const log = new EventLog();
  log.add("sent", append(1920), 0.4);
  log.add("received", { type: "x", n: 1 }, 12.6);
  const lines = exported(log.rows).split("\n").map((line) => JSON.parse(line) as { [key: string]: unknown });
  assert.deepEqual(lines[1], { at_ms: 13, direction: "received", event: { type: "x", n: 1 } });
  assert.equal(lines[0]?.["audio_ms"], 40);
});

test("the address follows the page's own", () => {
  assert.equal(realtimeUrl(new URL("https://a:1/"), "websocket", "m/1"), "wss://a:1/v1/realtime?model=m%2F1");
  assert.equal(realtimeUrl(new URL("http://a/voice/"), "websocket", "m"), "ws://a/voice/v1/realtime?model=m");
  assert.equal(realtimeUrl(new URL("https://a:1/"), "webrtc", "m"), "https://a:1/v1/realtime/calls?model=m");
});
