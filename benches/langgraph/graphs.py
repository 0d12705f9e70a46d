"""The two graphs of benches/graphs/mod.rs on LangGraph, and what is measured of them.

LangGraph keeps a copy of the state after each step; nothing tells who approved what. Its defaults are left as they
are: `durability` is "async", so a checkpoint is written while the next step runs, where hitl waits for each; and
SqliteSaver itself turns on WAL.
"""

import itertools
import sqlite3
import sys
import time
from typing import TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

STEPS = 1_000


class Ticket(TypedDict, total=False):
    message: str
    plan: str
    draft: dict
    outcome: str


class Tally(TypedDict):
    count: int


def plan(state: Ticket) -> dict:
    return {"plan": f"look the order up: {state['message']}"}


def draft(state: Ticket) -> dict:
    return {"draft": {"order_id": "A-9133", "amount": 149.0, "reason": state["plan"]}}


def execute(state: Ticket) -> dict:
    signed = state["draft"]
    return {"outcome": f"{signed['amount']} dollars for {signed['order_id']}"}


def add(state: Tally) -> dict:
    return {"count": state["count"] + 1}


def refund(saver):
    graph = StateGraph(Ticket)
    for node in (plan, draft, execute):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "draft")
    graph.add_edge("draft", "execute")
    graph.add_edge("execute", END)
    return graph.compile(checkpointer=saver, interrupt_before=["execute"])


def loop(saver):
    graph = StateGraph(Tally)
    graph.add_node("add", add)
    graph.add_edge(START, "add")
    graph.add_conditional_edges("add", lambda state: "add" if state["count"] < STEPS else END)
    return graph.compile(checkpointer=saver)


def sqlite_saver(path):
    connection = sqlite3.connect(path, check_same_thread=False)
    saver = SqliteSaver(connection)
    saver.setup()
    connection.execute("PRAGMA synchronous = FULL")
    return saver


class LangGraph:
    """One side. `saver` gives the saver of a batch: a new one in memory, the same one on a file."""

    def __init__(self, saver):
        self.saver = saver
        self.threads = itertools.count()

    def run(self, measure, times):
        """Seconds, on average over so many threads that nobody has had before."""
        graph = loop(self.saver()) if measure == "step" else refund(self.saver())
        configs = [
            {"configurable": {"thread_id": f"ticket-{next(self.threads)}"}, "recursion_limit": STEPS + 1}
            for _ in range(times)
        ]
        if measure == "approve":
            for config in configs:
                self.suspend(graph, config)
        start = time.perf_counter()
        for config in configs:
            match measure:
                case "start":
                    self.suspend(graph, config)
                case "approve":
                    self.finish(graph, config)
                case "edit":
                    self.suspend(graph, config)
                    edited = {"order_id": "A-9133", "amount": 99.0, "reason": "half of it"}
                    graph.update_state(config, {"draft": edited})
                    self.finish(graph, config)
                case "step":
                    assert graph.invoke({"count": 0}, config)["count"] == STEPS
        took = time.perf_counter() - start
        return took / (times * STEPS if measure == "step" else times)

    @staticmethod
    def suspend(graph, config):
        state = graph.invoke({"message": "Order A-9133 arrived broken."}, config)
        assert "draft" in state and "outcome" not in state

    @staticmethod
    def finish(graph, config):
        assert "outcome" in graph.invoke(None, config)


if __name__ == "__main__":
    # One thread in a new process, on a file, to where it waits.
    saver = sqlite_saver(sys.argv[1])
    LangGraph(lambda: saver).run("start", 1)
    print("suspended", flush=True)
    sys.stdin.read()
