"""Help topics: their names, what each is about, their text, and the topic of each command."""

from __future__ import annotations

TOPICS = {
    "quick-start": "From nothing to the first answer of your own, in five minutes.",
    "setup": "Connect Sprig to Segment, step by step.",
    "formats": "Files that can be read, the minimal record, all fields, watched folders.",
    "mapping": "The track call that an answer becomes, and the rules that change it.",
    "environments": "Environments, their settings, and where keys and tokens are kept.",
    "webhooks": "Receive answers from Sprig as they are given.",
    "pull": "Read answers from Sprig's REST API.",
    "console": "The terminal console: panes, keys, themes.",
    "browser": "The console in a browser: who may look, who may act.",
    "filters": "The filter language of log, replay, withdraw, export and the console.",
    "statistics": "Deliveries over time, by survey, reason, failure and endpoint.",
    "replay": "States of a delivery, message ids, sending again, taking back.",
    "reconcile": "Compare with Segment's counts, and explain one answer.",
    "people": "Personal data: what is kept, suppressed users, removal.",
    "workers": "Several processes and machines; the journal on PostgreSQL.",
    "operating": "Services, proxies, certificates, backup, metrics, upgrades.",
    "scripts": "JSON output, exit codes, shell completion.",
    "fake-segment": "Try everything without Segment, with faults if you want them.",
    "performance": "Measured figures, and how to measure your own.",
    "security": "How keys and data are protected, and what remains for you to do.",
    "python": "Use the engine from a Python program.",
    "changes": "What changed in each version.",
}
"""What the list says of each topic; its text is in the file of its name."""

COMMAND_TOPICS = {
    "demo": "quick-start",
    "setup": "setup",
    "preview": "mapping",
    "send": "formats",
    "replay": "replay",
    "withdraw": "replay",
    "hold": "replay",
    "resume": "replay",
    "log": "filters",
    "explain": "reconcile",
    "reconcile": "reconcile",
    "run": "workers",
    "forget": "people",
    "suppressed": "people",
    "status": "workers",
    "stats": "statistics",
    "pull": "pull",
    "listen": "webhooks",
    "serve": "browser",
    "keys": "environments",
    "keys sprig": "pull",
    "keys token": "webhooks",
    "sink": "fake-segment",
    "doctor": "operating",
    "journal": "operating",
    "journal compact": "people",
    "journal copy": "workers",
    "journal migrate": "workers",
    "journal prune": "people",
    "journal resume": "replay",
    "paths": "environments",
    "completion": "scripts",
}
"""Topic of each command; a command of a group that has none here has the topic of its group."""


def command_topic(words: str) -> str:
    """The topic of a command, such as `keys set`; empty where there is none."""
    return COMMAND_TOPICS.get(words) or COMMAND_TOPICS.get(words.partition(" ")[0], "")


def read_topic(name: str) -> str:
    """The Markdown of a topic of TOPICS."""
    from importlib.resources import files

    return files("sprig_tui.docs").joinpath(f"{name}.md").read_text(encoding="utf-8")


def find_topic(word: str) -> str:
    """The topic of this name, else of the command of this name; empty where there is none."""
    name = word.strip().lower().removesuffix(".md").replace(" ", "-").replace("_", "-")
    return name if name in TOPICS else command_topic(word.strip().lower())


def nearest_topics(word: str) -> list[str]:
    """Names of topics that are spelled like this word or contain it, the nearest first; at most three."""
    import difflib

    name = word.strip().lower()
    close = difflib.get_close_matches(name, [*TOPICS, *COMMAND_TOPICS], n=3, cutoff=0.6)
    near = [find_topic(match) for match in close]
    near += [topic for topic, about in TOPICS.items() if len(name) > 2 and (name in topic or name in about.lower())]
    return list(dict.fromkeys(near))[:3]
