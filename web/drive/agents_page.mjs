// The page that agents.mjs opens: the vendor's own agents library over WebRTC, with two functions. Bundled at test time.
import { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import { z } from "zod";

/** Holds the conversation; interrupts the first long answer by the library's own `interrupt`. */
window.talk = async ({ server, secret, story, interruptAfterMs }) => {
  const seen = { errors: [], calls: [], audio: [], interruptedAt: undefined, callId: undefined };
  window.seen = seen;
  const tellStory = tool({ name: "tell_story", description: "Tell the story of the lighthouse.", parameters: z.object({}), execute: () => {
    seen.calls.push("tell_story");
    return story;
  } });
  const paint = tool({ name: "set_orb_color", description: "Change the color of the orb on the page.", parameters: z.object({ color: z.string() }), execute: ({ color }) => {
    seen.calls.push(`set_orb_color ${color}`);
    return `The orb is ${color} now.`;
  } });
  const agent = new RealtimeAgent({ name: "Guide", instructions: "Answer briefly.", tools: [tellStory, paint] });
  const transport = new OpenAIRealtimeWebRTC({ baseUrl: `${server}/v1/realtime/calls` });
  const session = new RealtimeSession(agent, { transport, model: "gpt-realtime" });
  window.session = session;
  session.on("error", ({ error }) => seen.errors.push(JSON.stringify(error, Object.getOwnPropertyNames(error ?? {}))));
  session.on("transport_event", ({ type }) => {
    if (type.startsWith("output_audio_buffer.")) seen.audio.push(type.slice("output_audio_buffer.".length));
    if (type !== "output_audio_buffer.started" || seen.interruptedAt !== undefined) return;
    seen.interruptedAt = 0;
    setTimeout(() => {
      seen.interruptedAt = performance.now();
      void window.__noted("interrupt", "{}");
      session.interrupt();
    }, interruptAfterMs);
  });
  const began = performance.now();
  await session.connect({ apiKey: secret });
  seen.connectedMs = Math.round(performance.now() - began);
  seen.callId = transport.callId;
};
