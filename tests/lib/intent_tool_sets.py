"""Fifteen realistic tool sets of different domains, written as real clients write them: terse, uneven, incomplete."""

from __future__ import annotations

from typing import Any

from parley.protocol.realtime.tools import FunctionTool

__all__ = ["TOOL_SETS", "tool"]

TEXT: dict[str, Any] = {"type": "string"}


def tool(name: str, description: str = "", required: tuple[str, ...] | None = (), /, **properties: Any) -> FunctionTool:
    """Make a tool; without properties it has no `parameters` at all, with `required=None` no `required` key."""
    if not properties:
        return FunctionTool(name=name, description=description)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = list(required)
    return FunctionTool(name=name, description=description, parameters=schema)


def choice(*values: Any, description: str = "") -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "description": description}


def text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def number(description: str = "", **limits: Any) -> dict[str, Any]:
    return {"type": "number", "description": description, **limits}


def whole(description: str = "", **limits: Any) -> dict[str, Any]:
    return {"type": "integer", "description": description, **limits}


def flag(description: str = "") -> dict[str, Any]:
    return {"type": "boolean", "description": description}


PLANETS = ("mercury", "venus", "earth", "mars", "jupiter", "saturn", "uranus", "neptune", "sun")
ROOMS = ("living_room", "kitchen", "bedroom", "bathroom", "office")

TOOL_SETS: dict[str, list[FunctionTool]] = {
    "page": [
        tool(
            "changeBackgroundColor", "Changes the background color of the page", ("color",), color=text("A CSS color")
        ),
        tool("changeTextColor", "Changes the color of the text", None, color=TEXT),
        tool("changeButtonStyle", "Changes the size and color of the button", None, size=TEXT, color=TEXT),
        tool("getPageHTML", "Gets the HTML of the page: headings, text, buttons"),
        tool("undo", "Undo the last change"),
    ],
    "parts": [
        tool(
            "get_page_HTML",
            "Get the HTML of an element of the page, to read what it says.",
            element=text("What to read: heading, paragraph, button, or the whole page."),
        ),
        tool(
            "change_background_color",
            "Change the background color of the page.",
            ("color",),
            color=text("Any color, as the user said it."),
        ),
        tool(
            "change_font_color",
            "Change the font color of the text on the page.",
            ("color",),
            color=text("Any color, as the user said it."),
        ),
        tool(
            "change_button",
            "Change the size and color of the button.",
            size=text("How big: bigger, smaller, huge, or a font size in pixels."),
            color=text("Any color, as the user said it."),
        ),
        tool("undo", "Undo the last change to the page."),
    ],
    "planets": [
        tool("focus_planet", "Move the camera to a planet", ("planet",), planet=choice(*PLANETS)),
        tool("show_moons", "Show the moons of a planet", ("planet",), planet=choice(*PLANETS)),
        tool("show_orbits", "Show or hide the orbit lines", ("visible",), visible=flag("whether orbits are drawn")),
        tool(
            "set_speed", "Set how fast time passes", ("factor",), factor=number("speed factor", minimum=0, maximum=100)
        ),
        tool("reset_camera", "Return to the overview of the whole system"),
        tool(
            "get_planet_facts",
            "Look up facts such as mass, diameter or distance from the sun",
            ("planet",),
            planet=choice(*PLANETS),
        ),
    ],
    "home": [
        tool("set_light", "Turn the lights in a room on or off", ("room", "on"), room=choice(*ROOMS), on=flag()),
        tool(
            "set_brightness",
            "Dim or brighten the lights of a room",
            ("room", "percent"),
            room=choice(*ROOMS),
            percent=whole("brightness in percent", minimum=0, maximum=100),
        ),
        tool(
            "set_thermostat",
            "Set the target temperature",
            ("degrees",),
            degrees=number("degrees Celsius", minimum=5, maximum=30),
        ),
        tool(
            "lock_door",
            "Lock or unlock a door",
            ("door", "locked"),
            door=choice("front", "back", "garage"),
            locked=flag(),
        ),
        tool("start_vacuum", "Start the robot vacuum cleaner"),
        tool("get_energy_usage", "Read today's energy consumption"),
    ],
    "calendar": [
        tool(
            "create_event",
            "Add an event to the calendar",
            ("title", "date"),
            title=text("what the event is"),
            date=text("day of the event"),
            time=text("time of day"),
            attendee=text("who is invited"),
        ),
        tool("list_events", "List the events of a day", None, date=text("the day")),
        tool("cancel_event", "Cancel an event", ("title",), title=TEXT),
        tool("find_free_time", "Find a free slot of some minutes", ("minutes",), minutes=whole("length in minutes")),
    ],
    "music": [
        tool("play_song", "Play a song, an artist or an album", ("query",), query=text("what to play")),
        tool("pause_playback", "Pause the music"),
        tool("resume_playback", "Continue the music"),
        tool("next_track", "Skip to the next track"),
        tool("set_volume", "Set the loudness", ("level",), level=whole("0 to 100", minimum=0, maximum=100)),
        tool("set_shuffle", "Switch shuffle mode", ("enabled",), enabled=flag()),
    ],
    "timers": [
        tool(
            "start_timer",
            "Start a countdown",
            ("minutes",),
            minutes=number("length in minutes"),
            label=text("what it is for"),
        ),
        tool("cancel_timer", "Cancel the running timer"),
        tool("set_alarm", "Set an alarm", ("time",), time=text("when to ring")),
        tool(
            "create_reminder",
            "Remind the user of something",
            ("task",),
            task=text("what to remind of"),
            time=text("when"),
        ),
    ],
    "weather": [
        tool("get_weather", "Get the current weather for a city", ("city",), city=text("City name")),
        tool(
            "get_forecast",
            "Get the forecast for the coming days",
            ("city", "days"),
            city=TEXT,
            days=whole("number of days", minimum=1, maximum=14),
        ),
        tool("set_units", "Choose the unit of temperatures", ("unit",), unit=choice("celsius", "fahrenheit")),
    ],
    "shop": [
        tool("search_products", "Search the catalogue", ("query",), query=TEXT),
        tool("add_to_cart", "Put a product into the cart", ("product",), product=TEXT, quantity=whole(minimum=1)),
        tool("remove_from_cart", "Take a product out of the cart", ("product",), product=TEXT),
        tool("checkout", "Pay for everything in the cart"),
        tool("apply_coupon", "Apply a discount code", ("code",), code=TEXT),
        tool("show_cart", "Show what is in the cart"),
    ],
    "notes": [
        tool(
            "create_note", "Write a new note", ("text",), text=text("content of the note"), title=text("optional title")
        ),
        tool("set_title", "Set the title of the document", ("title",), title=TEXT),
        tool("search_notes", "Search through the notes", ("query",), query=TEXT),
        tool("delete_note", "Delete a note by its number", ("number",), number=whole()),
        tool("set_font_size", "Set the font size in points", ("points",), points=whole(minimum=6, maximum=72)),
        tool("toggle_dark_mode", "Switch dark mode on or off", ("dark",), dark=flag()),
    ],
    "crm": [
        tool("send_message", "Send a message to a contact", ("recipient", "message"), recipient=TEXT, message=TEXT),
        tool("find_customer", "Find a customer by name", ("name",), name=TEXT),
        tool(
            "update_status",
            "Update the status of a deal",
            ("deal", "status"),
            deal=text("name of the deal"),
            status=choice("open", "won", "lost", "on_hold"),
        ),
        tool("log_call", "Log a phone call with a customer", ("customer",), customer=TEXT, summary=TEXT),
    ],
    "maps": [
        tool(
            "navigate_to",
            "Start navigation to a destination",
            ("destination",),
            destination=TEXT,
            mode=choice("walking", "driving", "cycling"),
        ),
        tool(
            "find_nearby",
            "Find places of a category nearby",
            ("category",),
            category=text("for example restaurant or pharmacy"),
        ),
        tool("zoom", "Zoom the map", ("direction",), direction=choice("in", "out")),
        tool(
            "get_distance",
            "Get the distance between two places",
            ("origin", "destination"),
            origin=TEXT,
            destination=TEXT,
        ),
        tool("locate_place", "Tell where a place is located", ("place",), place=TEXT),
    ],
    "robot": [
        tool(
            "move_arm",
            "Move the arm in a direction",
            ("direction", "centimeters"),
            direction=choice("left", "right", "up", "down", "forward", "back"),
            centimeters=number("distance in centimeters"),
        ),
        tool(
            "rotate_joint",
            "Rotate one joint by an angle",
            ("joint", "angle"),
            joint=whole("joint number", minimum=1, maximum=6),
            angle=number("angle in degrees", minimum=-180, maximum=180),
        ),
        tool("open_gripper", "Open the gripper"),
        tool("close_gripper", "Close the gripper"),
        tool("go_home", "Return to the home position"),
        tool("emergency_stop", "Stop all motion at once"),
    ],
    "call": [
        tool("end_session", "End the conversation when the user says goodbye"),
        tool(
            "transfer_call",
            "Transfer the caller to a department",
            ("department",),
            department=choice("sales", "support", "billing"),
        ),
        tool(
            "get_order_status", "Look up where an order is", ("order_number",), order_number=whole("the order's number")
        ),
    ],
    "slides": [
        tool("go_to_slide", "Jump to a slide", ("slide",), slide=whole("slide number", minimum=1)),
        tool("next_slide", "Go to the next slide"),
        tool("previous_slide", "Go back one slide"),
        tool("set_theme", "Choose the theme", ("theme",), theme=choice("light", "dark", "high_contrast")),
        tool("add_bullet", "Add a bullet point to the current slide", ("text",), text=TEXT),
    ],
}
