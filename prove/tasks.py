"""Every proof: which wrapper, at which parameters, for sequences of which length."""

from __future__ import annotations

from prover import Task

_RATIOS = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (3, 1), (4, 1), (2, 3), (3, 2), (3, 4), (5, 2))
#: (BEATS, CHUNKS, INNER, OUTER)
_REPLAYS = ((1, 1, 1, 2), (2, 1, 1, 2), (3, 1, 1, 3), (2, 2, 1, 2), (1, 2, 2, 2), (2, 2, 2, 1), (2, 1, 1, 1))

#: by number of fv_arithmetic's UNIT
_ARITHMETIC: dict[int, tuple[dict[str, int], ...]] = {
    0: ({"N": 4, "M": 4}, {"N": 5, "M": 3}, {"N": 2, "M": 2}, {"N": 6, "M": 5}),
    1: ({"N": 4, "M": 3, "STEPS": 1},),
    2: ({"N": 4, "M": 3, "STEPS": 1},),
    3: (
        {"N": 8, "M": 4, "SHIFT": 2}, {"N": 8, "M": 8}, {"N": 8, "M": 1, "SHIFT": 1}, {"N": 6, "M": 8, "SHIFT": 3},
        {"N": 4, "M": 4, "SHIFT": 5}, {"N": 4, "M": 4, "SHIFT": 4},
    ),
    4: ({"N": 1, "M": 3}, {"N": 2, "M": 3, "STEPS": 1}, {"N": 3, "M": 3, "STEPS": 2}, {"N": 5, "M": 2, "STEPS": 3}),
    5: ({"N": 3, "M": 1, "STEPS": 2}, {"N": 5, "M": 1, "STEPS": 2}),
    6: ({"N": 3, "M": 1, "STEPS": 3}, {"N": 6, "M": 1, "STEPS": 3}, {"N": 8, "M": 1, "STEPS": 3}),
    7: ({"N": 2, "M": 1, "STEPS": 4}, {"N": 5, "M": 1, "STEPS": 4}),
    8: ({"N": 5, "M": 1, "STEPS": 2}, {"N": 8, "M": 1, "STEPS": 2}),
    9: ({"N": 3, "M": 2, "STEPS": 2},),
    10: ({"N": 4, "M": 3, "STEPS": 2},),
    11: ({"N": 4, "M": 3, "STEPS": 2},),
}  # fmt: skip


#: fv_operator: UNIT, IN, OUT, HELD, WAIT, A, B, cycles of a bounded proof (None: any length)
_OPERATORS: tuple[tuple[int, int, int, int, int, int, int, int | None], ...] = (
    (0, 2, 1, 2, 1, 2, 1, None), (0, 3, 1, 3, 1, 3, 1, None),
    (1, 4, 1, 6, 1, 2, 2, None), (1, 2, 1, 2, 1, 1, 2, None), (1, 2, 1, 3, 1, 2, 1, None),
    (2, 1, 1, 9, 3, 2, 2, None), (2, 1, 1, 1, 1, 1, 2, None),
    (3, 1, 4, 17, 6, 4, 2, None), (4, 1, 2, 9, 3, 2, 2, None),
    (5, 1, 1, 2, 1, 1, 1, None), (5, 1, 1, 2, 1, 2, 1, None),
    (6, 1, 1, 4, 1, 2, 0, None), (6, 1, 1, 7, 1, 2, 1, None),
    (7, 1, 1, 7, 4, 2, 2, None), (7, 2, 1, 7, 4, 1, 2, None), (7, 1, 2, 9, 4, 2, 1, None),
    (8, 1, 1, 7, 4, 2, 2, None), (8, 2, 1, 6, 4, 1, 2, None),
    (9, 1, 1, 9, 4, 1, 2, None), (9, 1, 2, 13, 4, 2, 2, None),
    # rows and tokens of zeros around the grid: no invariant is found in time
    (10, 1, 1, 14, 2, 2, 2, 24), (10, 1, 1, 14, 3, 1, 3, 24), (10, 1, 1, 11, 2, 3, 1, 24),
)  # fmt: skip
#: fv_attention, and cycles of the induction
_ATTENTION: tuple[tuple[dict[str, int], int], ...] = (
    ({"KEYS": 1, "HEAD_DIM": 1, "HELD_Q": 22, "HELD_K": 23, "HELD_V": 7, "WAIT": 19}, 20),
    ({"KEYS": 2, "HEAD_DIM": 1, "HELD_Q": 14, "HELD_K": 30, "HELD_V": 10, "WAIT": 24}, 24),
    ({"HEADS": 2, "KEYS": 1, "HEAD_DIM": 1, "HELD_Q": 22, "HELD_K": 50, "HELD_V": 18, "WAIT": 20}, 22),
    # two queries, and a last group of keys that is short
    (
        {
            "QUERIES": 2, "KEYS": 3, "KP": 2, "MP": 2, "HEAD_DIM": 1, "HELD_Q": 14, "HELD_K": 51, "HELD_V": 21,
            "WAIT": 26,
        },
        28,
    ),
    # more than four groups of keys: a row of queries waits apart
    ({"KEYS": 5, "HEAD_DIM": 1, "HELD_Q": 22, "HELD_K": 120, "HELD_V": 50, "WAIT": 44, "TIGHT": 0}, 36),
    # rows of two output beats; two heads, each output of two channels of input
    ({"KEYS": 2, "HEAD_DIM": 2, "HELD_Q": 52, "HELD_K": 108, "HELD_V": 28, "WAIT": 30, "TIGHT": 0}, 28),
    (
        {
            "HEADS": 2, "KEYS": 2, "HEAD_DIM": 2, "PE": 2, "HELD_Q": 29, "HELD_K": 136, "HELD_V": 56, "WAIT": 30,
            "TIGHT": 0,
        },
        32,
    ),
)  # fmt: skip
_OPERATOR_NAMES = ("UNIT", "IN", "OUT", "HELD", "WAIT", "A", "B")


def _bound(unit: int, parameters: dict[str, int]) -> int | None:
    """Where no invariant is found in time. Pipelines keep nothing but their steps."""
    if unit == 6 and parameters["N"] > 6:
        return 10
    return parameters["STEPS"] + 4 if unit >= 7 or (unit == 5 and parameters["N"] > 3) else None


def _replay(beats: int, chunks: int, inner: int, outer: int, **others: int) -> dict[str, int]:
    return {"BEATS": beats, "CHUNKS": chunks, "INNER": inner, "OUTER": outer, **others}


TASKS: tuple[Task, ...] = (
    *(Task(top="fv_fifo", parameters={"DEPTH": depth}, quick=depth in (2, 3)) for depth in (2, 3, 4, 5, 8)),
    *(
        Task(top="fv_fifo", parameters={"DEPTH": depth, "STYLE": style}, quick=depth == 4)
        for style in (1, 2)
        for depth in (4, 5, 8)
    ),
    # UltraRAM's banks side by side
    *(Task(top="fv_fifo", parameters={"DEPTH": depth, "STYLE": 2, "ROWS": 2}, quick=depth == 4) for depth in (4, 8)),
    *(
        Task(top="fv_width_converter", parameters={"IN": i, "OUT": o}, quick=(i, o) in ((1, 3), (3, 1), (2, 3)))
        for i, o in _RATIOS
    ),
    *(Task(top="fv_duplicate", parameters={"COPIES": copies}, quick=copies == 3) for copies in (2, 3, 4, 5, 8)),
    *(
        Task(top=f"fv_{name}_token", parameters={"TOKENS": tokens, "BEATS": beats}, quick=(tokens, beats) == (2, 3))
        for name in ("first", "prepend")
        for tokens, beats in ((1, 1), (1, 2), (2, 1), (2, 3), (4, 2))
    ),
    *(Task(top="fv_replay", parameters=_replay(*numbers), quick=numbers == (1, 1, 1, 2)) for numbers in _REPLAYS),
    Task(top="fv_replay", parameters=_replay(2, 2, 1, 2, BLOCK=1)),
    Task(top="fv_replay", parameters=_replay(2, 1, 1, 2, SHORT=1), quick=True),
    Task(top="fv_replay", parameters=_replay(3, 1, 1, 2, SHORT=1)),
    Task(top="fv_replay", parameters=_replay(1, 2, 2, 2, SHORT=1)),
    Task(top="fv_replay", parameters=_replay(2, 1, 1, 2, ADDER=0)),
    Task(top="fv_replay", parameters=_replay(3, 1, 1, 2, ADDER=0)),
    # chunks that are no power of two: the jump back at the end of one
    Task(top="fv_replay", parameters=_replay(3, 2, 2, 1), bound=18),
    Task(top="fv_replay", parameters=_replay(1, 2, 2, 2, OPERATOR=1)),
    Task(top="fv_replay", parameters=_replay(2, 1, 1, 3, OPERATOR=2)),
    *(Task(top="fv_delay", parameters={"STEPS": steps}, quick=steps == 5) for steps in (1, 2, 3, 4, 5, 8)),
    Task(top="fv_delay", parameters={"STEPS": 6, "STYLE": 1}),
    Task(top="fv_delay", parameters={"STEPS": 6, "STYLE": 2}),
    *(Task(top="fv_delay", parameters={"STEPS": steps, "SHIFT_STEPS": 33}) for steps in (4, 5)),
    *(
        Task(top="fv_logits_out", parameters={"CLASSES": classes, "FRAMES": frames}, quick=classes == 2)
        for classes, frames in ((1, 2), (2, 2), (3, 2), (3, 3))
    ),
    *(
        Task(
            top="fv_arithmetic",
            parameters={"UNIT": unit, **parameters},
            bound=_bound(unit, parameters),
            quick=unit in (0, 3) and n == 0,
        )
        for unit, several in _ARITHMETIC.items()
        for n, parameters in enumerate(several)
    ),
    *(
        Task(
            top="fv_operator",
            parameters=dict(zip(_OPERATOR_NAMES, values, strict=True)),
            bound=bound,
            quick=values[0] in (1, 5) and values[5] == 2,
        )
        for *values, bound in _OPERATORS
    ),
    *(
        Task(top="fv_attention", parameters=parameters, induction=cycles, quick=cycles == 20)
        for parameters, cycles in _ATTENTION
    ),
    *(
        Task(
            top="fv_attention_choice",
            parameters={"KEYS": keys, "KP": kp, "T": t, "ROWS": rows},
            bound=bound,
            quick=(keys, kp, t) == (3, 2, 3),
        )
        for keys, kp, t, rows, bound in ((2, 1, 1, 5, 16), (2, 1, 3, 5, 16), (2, 1, 7, 5, 16), (3, 1, 3, 4, 18),
                                         (3, 2, 1, 6, 16), (3, 2, 3, 6, 16), (4, 2, 3, 6, 16))
    ),
    *(
        Task(top="fv_multi_pool", parameters={"A": rows, "B": columns, "FRAMES": frames}, bound=bound)
        for rows, columns, frames, bound in ((2, 2, 2, 24), (1, 3, 2, 24), (3, 1, 1, 18))
    ),
    *(Task(top="fv_reset_chain", parameters={"HOLD": hold}, quick=hold == 2) for hold in (1, 2, 5)),
    Task(top="fv_axi_lite_regs", parameters={"RESET_CYCLES": 3}),
    *(
        Task(
            top="fv_beat_counter", parameters={"BEATS": beats, "ROUNDS": rounds, "FRAME": frame}, quick=beats == 3
        )
        for beats, rounds, frame in ((1, 1, 0), (1, 5, 1), (3, 2, 1), (4, 3, 1), (5, 1, 0), (3, 400, 1))
    ),
    Task(top="fv_frame_guard", parameters={"BEATS": 1, "DEPTH": 5, "FRAMES": 2}),
    Task(top="fv_frame_guard", parameters={"BEATS": 2, "DEPTH": 6, "FRAMES": 2}, bound=16),
    Task(top="fv_join", parameters={"DEPTH0": 2, "DEPTH1": 2}),
    # of different latency, so that one input of the join is there without the other
    Task(top="fv_join", parameters={"DEPTH0": 2, "DEPTH1": 3}, bound=12),
)
