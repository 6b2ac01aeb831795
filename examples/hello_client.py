"""Talk with Parley from a small device, which brings a tool of its own.

    pip install 'parley[client]'
    python hello_client.py http://192.168.1.20:8080

Say "Switch on the lamp in the kitchen".
"""

import asyncio
import sys

from parley.client import Microphone, Speaker, connect

LAMPS: dict[str, bool] = {}


def switch_lamp(room: str, on: bool = True) -> str:
    """Switch the lamp of a room on or off.

    Args:
        room: which room, for example kitchen
    """
    LAMPS[room] = on
    return f"The lamp in the {room} is {'on' if on else 'off'}."


async def main(url: str) -> None:
    async with connect(url, transport="webrtc", tools=[switch_lamp], greet=True) as session:
        with Microphone(session), Speaker(session):
            async for event in session:
                match event["type"]:
                    case "conversation.item.input_audio_transcription.completed":
                        print("You:", event["transcript"])
                    case "response.output_audio_transcript.done":
                        print("Parley:", event["transcript"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
