"""Deliberate faults, each of which a proof must refute: (task, file, text, what is put in its place)."""

from __future__ import annotations

_ATTENTION = "attention[KEYS=1,HEAD_DIM=1,HELD_Q=22,HELD_K=23,HELD_V=7,WAIT=19]"
_ATTENTION2 = "attention[KEYS=2,HEAD_DIM=1,HELD_Q=14,HELD_K=30,HELD_V=10,WAIT=24]"
_RULE = ("attention_choice[KEYS=3,KP=2,T=3,ROWS=6]", "bvit_attention_choice.sv")

BREAKS: tuple[tuple[str, str, str, str], ...] = (
    # the FIFO: one reset deleted, full one early, full one late, a beat lost, a beat changed
    ("fifo[DEPTH=2]", "bvit_fifo.sv", "skid_valid_q <= 1'b0;\n      end else if (free)", "end else if (free)"),
    ("fifo[DEPTH=3]", "bvit_fifo.sv", "== CountW'(DEPTH - 2)", "== CountW'(DEPTH - 3)"),
    ("fifo[DEPTH=3]", "bvit_fifo.sv", "!(last_q && push && !pop)", "1'b1"),
    ("fifo[DEPTH=2]", "bvit_fifo.sv", "free || !(push || skid_valid_q)", "free || !push"),
    ("fifo[DEPTH=2]", "bvit_fifo.sv", "valid_q <= skid_valid_q || push;", "valid_q <= skid_valid_q;"),
    ("fifo[DEPTH=4,STYLE=1]", "bvit_fifo.sv", "stored && (!latch_valid_q || free)", "stored"),
    ("fifo[DEPTH=4,STYLE=2,ROWS=2]", "bvit_fifo.sv", "bank_q <= read_q[AddrW-1:RowW]", "bank_q <= '0"),
    ("fifo[DEPTH=4,STYLE=2,ROWS=2]", "bvit_fifo.sv", "push && write_q[AddrW-1:RowW] == ", "push && '0 == "),
    ("fifo[DEPTH=5]", "bvit_fifo.sv", "write_q <= '0;\n        read_q <= '0;", "write_q <= '0;"),
    # the width converter: a part counted wrong, a reset deleted
    ("width_converter[IN=1,OUT=3]", "bvit_width_converter.sv", "!last || m_axis_tready", "m_axis_tready"),
    ("width_converter[IN=3,OUT=1]", "bvit_width_converter.sv", "last && m_axis_tready", "m_axis_tready"),
    ("width_converter[IN=2,OUT=3]", "bvit_width_converter.sv", "UnitsW'(Units - In)", "UnitsW'(Units - In + 1)"),
    # the fork: who has taken is forgotten, an output that waits for another one
    ("duplicate[COPIES=3]", "bvit_duplicate.sv", "s_axis_tready ? '0 : has", "has"),
    ("duplicate[COPIES=3]", "bvit_duplicate.sv", "{COPIES{s_axis_tvalid}} & ~taken_q", "{COPIES{s_axis_tvalid}}"),
    # the class token: a second token let through, a drop that waits for the sink; a frame's beat swallowed, no frame
    # waited for, the stored token's end missed
    ("first_token[TOKENS=2,BEATS=3]", "bvit_first_token.sv", "take && last_beat", "take"),
    ("first_token[TOKENS=2,BEATS=3]", "bvit_first_token.sv", "m_axis_tready || !wanted", "m_axis_tready"),
    ("prepend_token[TOKENS=2,BEATS=3]", "bvit_prepend_token.sv", "s_axis_tready = en && !own", "s_axis_tready = en"),
    ("prepend_token[TOKENS=2,BEATS=3]", "bvit_prepend_token.sv", "valid_q <= s_axis", "valid_q <= own || s_axis"),
    ("prepend_token[TOKENS=2,BEATS=3]", "bvit_prepend_token.sv", "own_q ? stored", "own ? stored"),
    # replay
    ("replay[BEATS=1,CHUNKS=1,INNER=1,OUTER=2]", "bvit_replay.sv", "raddr != waddr || full", "raddr != waddr"),
    ("replay[BEATS=1,CHUNKS=2,INNER=2,OUTER=2]", "bvit_replay.sv", "if (group_end) read_bank", "if (step) read_bank"),
    ("replay[BEATS=2,CHUNKS=1,INNER=1,OUTER=2,SHORT=1]", "bvit_replay.sv", "fresh_d != '0;", "fresh_d != '0 || write;"),
    # delays: a word too many
    ("delay[STEPS=5]", "bvit_delay.sv", "WORDS = STEPS - 1", "WORDS = STEPS"),
    ("delay[STEPS=3]", "bvit_delay.sv", "q = line_q[STEPS-1]", "q = line_q[0]"),
    # the exit: TLAST by the class alone, a stall reported late
    ("logits_out[CLASSES=2,FRAMES=2]", "bvit_logits_out.sv", "{last_class && last_frame, ", "{last_class, "),
    ("logits_out[CLASSES=2,FRAMES=2]", "bvit_logits_out.sv", "StallW'(STALL_CYCLES);", "StallW'(STALL_CYCLES - 1);"),
    # the entrance: a frame is too long unseen, a dropped beat keeps its place, a hole in TKEEP is not seen
    ("frame_guard[BEATS=1,DEPTH=5,FRAMES=2]", "bvit_frame_guard.sv", "too_long = counts", "too_long = 1'b0"),
    ("frame_guard[BEATS=1,DEPTH=5,FRAMES=2]", "bvit_frame_guard.sv", "write = counts && !spoilt", "write = counts"),
    ("frame_guard[BEATS=1,DEPTH=5,FRAMES=2]", "bvit_frame_guard.sv", "few && left[1:0] != 2'd3", "few && !left[1]"),
    ("frame_guard[BEATS=1,DEPTH=5,FRAMES=2]", "bvit_frame_guard.sv", "CHECK_KEEP && !(&s_axis_tkeep)", "1'b0"),
    # the join: a result without its inputs
    ("join[DEPTH0=2,DEPTH1=2]", "bvit_channel_affine.sv", "STAGES-2:0], all_valid", "STAGES-2:0], 1'b1"),
    ("join[DEPTH0=2,DEPTH1=3]", "bvit_channel_affine.sv", "fire = en & all_valid", "fire = en"),
    # counters: a carry too many, one beat short
    ("beat_counter[BEATS=3,ROUNDS=2,FRAME=1]", "bvit_beat_counter.sv", "frame_q[i] ^ (&frame_q[i-1:0])", "~frame_q[i]"),
    ("beat_counter[BEATS=3,ROUNDS=400,FRAME=1]", "bvit_beat_counter.sv", "frame_q + 1'b1", "frame_q + 1'b0"),
    ("beat_counter[BEATS=5,ROUNDS=1,FRAME=0]", "bvit_beat_counter.sv", "_BITS'(BEATS - 1)", "_BITS'(BEATS - 2)"),
    # the registers: a second write while an answer is owed, a flag that does not stay, a strobe that is not looked at
    ("axi_lite_regs[RESET_CYCLES=3]", "bvit_axi_lite_regs.sv", "!write_q && !s_axi_bvalid", "!write_q"),
    ("axi_lite_regs[RESET_CYCLES=3]", "bvit_axi_lite_regs.sv", "flags_q <= flags_q | events", "flags_q <= events"),
    ("axi_lite_regs[RESET_CYCLES=3]", "bvit_axi_lite_regs.sv", "if (s_axi_wstrb[1])", "if (s_axi_wstrb[0])"),
    ("axi_lite_regs[RESET_CYCLES=3]", "bvit_axi_lite_regs.sv", "reset_left_q - 1'b1", "reset_left_q >> 1"),
    # resets of several kernels: none waited for, told too short, gone on before the last one, not told at all
    ("reset_chain[HOLD=2]", "bvit_reset_chain.sv", "if (!held) left_q <= LeftW'(HOLD);\n      else if", "if"),
    ("reset_chain[HOLD=2]", "bvit_reset_chain.sv", "      left_q <= LeftW'(HOLD);\n    end", "    end"),
    ("reset_chain[HOLD=2]", "bvit_reset_chain.sv", "busy_q <= busy_q && held", "busy_q <= 1'b0"),
    ("reset_chain[HOLD=2]", "bvit_reset_chain.sv", "      hold_q <= 1'b1;", "      hold_q <= 1'b0;"),
    ("reset_chain[HOLD=2]", "bvit_reset_chain.sv", "datapath_rst = request || busy_q", "datapath_rst = busy_q"),
    # operators: a group's end missed, a stall not heeded, a buffer that never looks full, one that takes too much, a
    # step of no token
    ("operator[UNIT=0,IN=2,OUT=1,HELD=2,WAIT=1,A=2,B=1]", "bvit_channel_pool.sv", "take && last;", "take;"),
    ("operator[UNIT=1,IN=4,OUT=1,HELD=6,WAIT=1,A=2,B=2]", "bvit_spatial_pool.sv", "!valid_q || m_axis_tready", "1'b1"),
    ("operator[UNIT=4,IN=1,OUT=2,HELD=9,WAIT=3,A=2,B=2]", "bvit_replay.sv", "raddr != waddr || full", "raddr != waddr"),
    ("operator[UNIT=10,IN=1,OUT=1,HELD=14,WAIT=2,A=2,B=2]", "bvit_pool_rows.sv", "(!full || en)", "1'b1"),
    ("operator[UNIT=10,IN=1,OUT=1,HELD=14,WAIT=2,A=2,B=2]", "bvit_multi_pool.sv", "&& !clear3_q", "&& 1'b1"),
    # sums of windows: what lies beyond the grid's left border or above it is added
    (
        "multi_pool[A=2,B=2,FRAMES=2]", "bvit_multi_pool.sv", "left1_valid ? token_left1[i*IN_BITS+:IN_BITS] : '0",
        "token_left1[i*IN_BITS+:IN_BITS]",
    ),
    ("multi_pool[A=2,B=2,FRAMES=2]", "bvit_pool_rows.sv", "up1_q ? row_up1 : '0", "row_up1"),
    # attention: a row issued without its keys, one given without its values, a third frame taken, a row lost where the
    # output phase stands, one taken over another, a beat that does not wait, a frame's end at every row, a reset
    # deleted, and the waiting row left out of what is held
    (_ATTENTION, "bvit_attention_queries.sv", "valid_q && k_there && en", "valid_q && en"),
    (_ATTENTION, "bvit_attention_product.sv", "row_valid_q && v_there && en", "row_valid_q && en"),
    (_ATTENTION, "bvit_attention_slots.sv", "room = !count_q[1]", "room = 1'b1"),
    (_ATTENTION, "bvit_attention_row.sv", "!got_valid_q[2] || !full_q || !stays", "1'b1"),
    (_ATTENTION2, "bvit_attention_product.sv", "!row_valid_q || row_done;", "!row_valid_q || issue;"),
    (_ATTENTION, "bvit_attention_product.sv", "en = !m_valid_q || m_axis_tready", "en = 1'b1"),
    (_ATTENTION2, "bvit_attention_queries.sv", "frame_done = row_done &&", "frame_done = issue &&"),
    (_ATTENTION, "bvit_attention_choice.sv", "compare_q <= 1'b0;\n      compare_group_q", "compare_group_q"),
    (_ATTENTION, "fv_attention.sv", "dut.u_row.done_q, dut", "1'b0, dut"),
    # the row rule: a key at the bound, sums of two rows, a lane without a key, a bound beyond the table's range
    (*_RULE, "] > bound_q", "] >= bound_q"),
    (*_RULE, "(row_first_q ? '0 : row_sum_q)", "row_sum_q"),
    (*_RULE, "if (last_q[0]) e_q <= '0;\n          else ", ""),
    (*_RULE, "|(bound >> TABLE_BITS) ? '1 :", "1'b0 ? '1 :"),
    # arithmetic
    ("arithmetic[UNIT=0,N=4,M=4]", "bvit_booth_mul.sv", "{above, 1'b1}", "{above, 1'b0}"),
    ("arithmetic[UNIT=3,N=8,M=4,SHIFT=2]", "bvit_saturate.sv", "= w[W_BITS-1];", "= 1'b0;"),
    ("arithmetic[UNIT=6,N=6,M=1,STEPS=3]", "bvit_popcount_majority.sv", "(a & b) | (a & c)", "(a & b) | (b & c)"),
    # and a broken assertion
    ("fifo[DEPTH=3]", "fv_fifo.sv", "level != LEVEL_BITS'(DEPTH)))", "level != LEVEL_BITS'(DEPTH - 1)))"),
)
