// Two frames of keys, stored by key: KP keys of one head are read at once.
//
// s_axis: SIMD channels a beat, one beat a cycle, all heads of a token one after another. Ready
// comes from registers and is low while both frames are held. ENCODED stores what
// bvit_attention_encode makes of a key, otherwise WORD is HEAD_DIM.
// A group is the keys group*KP .. group*KP+KP-1, of which the last one may lack some; its words are
// there one cycle after `re` and stay until the next one. Nothing may be read before the frame is
// `there`; `free` in the cycle of its last read gives it back.
`default_nettype none

module bvit_attention_keys #(
  parameter int KEYS = 4,
  parameter int HEADS = 2,
  parameter int HEAD_DIM = 32,
  parameter int SIMD = 8,
  parameter int KP = 1,
  parameter bit ENCODED = 1'b0,
  parameter int WORD = 32,
  parameter bit ULTRA = 1'b0,
  localparam int GROUPS = (KEYS + KP - 1) / KP,
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1,
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic [      SIMD-1:0] s_axis_tdata,
  input  wire logic                  s_axis_tvalid,
  output wire logic                  s_axis_tready,
  output wire logic                  there,
  input  wire logic                  re,
  input  wire logic [GROUP_BITS-1:0] group,
  input  wire logic [ HEAD_BITS-1:0] head,
  input  wire logic                  free,
  output wire logic [   KP*WORD-1:0] words           // of key j of the group: [j*WORD +: WORD]
);

  // Address: {slot, group, head}. Where a count is no power of two, some words stay unused.
  localparam int GROUP_FIELD = $clog2(GROUPS);
  localparam int HEAD_FIELD = $clog2(HEADS);
  localparam int ADDR_BITS = 1 + GROUP_FIELD + HEAD_FIELD;

  wire logic room, last, wslot, rslot;
  wire logic take = s_axis_tvalid && room;
  wire logic [HEAD_DIM-1:0] key;
  wire logic [WORD-1:0] word;
  wire logic [KP-1:0] lane;
  wire logic [GROUP_BITS-1:0] wgroup;
  wire logic [HEAD_BITS-1:0] whead;

  assign s_axis_tready = room;

  bvit_attention_gather #(
    .WIDTH(HEAD_DIM),
    .LANES(SIMD)
  ) u_gather (
    .clk,
    .rst,
    .take,
    .data(s_axis_tdata),
    .word(key),
    .last
  );

  if (ENCODED) begin : gen_encode
    bvit_attention_encode #(
      .N(HEAD_DIM),
      .WORD(WORD)
    ) u_encode (
      .key,
      .word
    );
  end else begin : gen_plain
    assign word = key;
  end

  bvit_attention_slots #(
    .KEYS (KEYS),
    .HEADS(HEADS),
    .LANES(KP)
  ) u_slots (
    .clk,
    .rst,
    .step (take && last),
    .free,
    .room,
    .there,
    .lane,
    .group(wgroup),
    .head (whead),
    .wslot,
    .rslot
  );

  // Up to 64 words lie in LUT RAM, more in block RAM or UltraRAM.
  bvit_ram #(
    .DEPTH(1 << ADDR_BITS),
    .LANE_BITS(WORD),
    .LANES(KP),
    .STYLE(ADDR_BITS <= 6 ? 0 : ULTRA ? 2 : 1)
  ) u_ram (
    .clk,
    .we({KP{take && last}} & lane),
    .waddr(
      ADDR_BITS'(wslot) << (GROUP_FIELD + HEAD_FIELD) | ADDR_BITS'(wgroup) << HEAD_FIELD
          | ADDR_BITS'(whead)
    ),
    .wdata(word),
    .re,
    .raddr(
      ADDR_BITS'(rslot) << (GROUP_FIELD + HEAD_FIELD) | ADDR_BITS'(group) << HEAD_FIELD
          | ADDR_BITS'(head)
    ),
    .rdata(words)
  );

endmodule

`default_nettype wire
