"""Serve the page-control example and connect its voice, so that the key never reaches a browser.

    OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=… python examples/page_control_backend.py

Then open http://127.0.0.1:3000/page-control/. The page posts its WebRTC offer to `/api/rtc-connect`; this process adds
the key and the session and hands back the answer. Sound and events then go straight between browser and server.
"""

import os
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from openai import APIError, OpenAI
from openai.types.realtime import RealtimeSessionCreateRequestParam

PAGES = str(files("parley") / "web_assets")
SESSION: RealtimeSessionCreateRequestParam = {
    "type": "realtime",
    "model": "gpt-realtime",
    "audio": {"output": {"voice": "marin"}},
}
client = OpenAI(api_key=os.environ.get("OPENAI_API_KEY", "none"))


class Backend(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/page-control/":
            return super().do_GET()
        with open(f"{PAGES}/page-control/index.html", encoding="utf-8") as page:
            html = page.read().replace("<html", '<html data-connect="/api/rtc-connect"', 1)
        return self.answer(200, html, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        if self.path != "/api/rtc-connect" or self.headers["content-type"] != "application/sdp":
            return self.answer(404, "Post an SDP offer to /api/rtc-connect.", "text/plain")
        offer = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            answer = client.realtime.calls.create(sdp=offer, session=SESSION)
        except APIError as error:
            print(error, file=sys.stderr)
            return self.answer(502, '{"error": {"message": "The voice server refused the call."}}', "application/json")
        return self.answer(201, answer.text, "application/sdp")

    def answer(self, status: int, body: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    server = ThreadingHTTPServer(("127.0.0.1", port), lambda *given: Backend(*given, directory=PAGES))
    print(f"Page control at http://127.0.0.1:{server.server_port}/page-control/")
    server.serve_forever()
