// Two frames of values, stored by channel: PE channels of MP keys of one head are read at once, so
// that V^T is read without a transposition.
//
// s_axis: SIMD channels a beat, all heads of a token one after another; a beat takes SIMD/PE cycles
// where that is more than one. Ready comes from registers, with SIMD > PE from a counter, and is
// low while both frames are held.
// A group is the keys group*MP .. group*MP+MP-1, of which the last one may lack some, a chunk the
// channels chunk*PE .. of a head; their word is there one cycle after `re` and stays until the next
// one. Nothing may be read before the frame is `there`; `free` in the cycle of its last read gives it
// back.
`default_nettype none

module bvit_attention_values #(
  parameter int KEYS = 4,
  parameter int HEADS = 2,
  parameter int HEAD_DIM = 32,
  parameter int SIMD = 8,
  parameter int MP = 4,
  parameter int PE = 4,
  parameter bit ULTRA = 1'b0,
  localparam int GROUPS = (KEYS + MP - 1) / MP,
  localparam int CHUNKS = HEAD_DIM / PE,
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1,
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1,
  localparam int CHUNK_BITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1
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
  input  wire logic [CHUNK_BITS-1:0] chunk,
  input  wire logic                  free,
  output wire logic [     MP*PE-1:0] bits            // of key j, channel i: [j*PE + i]
);

  // Address: {slot, group, head, chunk}. Where a count is no power of two, some words stay unused.
  localparam int GROUP_FIELD = $clog2(GROUPS);
  localparam int HEAD_FIELD = $clog2(HEADS);
  localparam int CHUNK_FIELD = $clog2(CHUNKS);
  localparam int ADDR_BITS = 1 + GROUP_FIELD + HEAD_FIELD + CHUNK_FIELD;

  wire logic room, write, wslot, rslot;
  wire logic [PE-1:0] word;
  wire logic [MP-1:0] lane;
  wire logic [GROUP_BITS-1:0] wgroup;
  wire logic [HEAD_BITS-1:0] whead;
  logic [CHUNK_BITS-1:0] wchunk_q;
  wire logic wchunk_last = wchunk_q == CHUNK_BITS'(CHUNKS - 1);

  if (SIMD <= PE) begin : gen_gather
    wire logic take = s_axis_tvalid && room;
    wire logic last;
    assign s_axis_tready = room;
    assign write = take && last;
    bvit_attention_gather #(
      .WIDTH(PE),
      .LANES(SIMD)
    ) u_gather (
      .clk,
      .rst,
      .take,
      .data(s_axis_tdata),
      .word,
      .last
    );
  end else begin : gen_split
    // The beat waits outside while its pieces are written one after another.
    localparam int PIECES = SIMD / PE;
    localparam int PIECE_BITS = $clog2(PIECES);
    logic [PIECE_BITS-1:0] piece_q;
    assign write = s_axis_tvalid && room;
    assign word = s_axis_tdata[piece_q*PE+:PE];
    assign s_axis_tready = room && piece_q == PIECE_BITS'(PIECES - 1);
    always_ff @(posedge clk) begin
      if (rst) piece_q <= '0;
      else if (write) piece_q <= s_axis_tready ? '0 : piece_q + 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (rst) wchunk_q <= '0;
    else if (write) wchunk_q <= wchunk_last ? '0 : wchunk_q + 1'b1;
  end

  bvit_attention_slots #(
    .KEYS (KEYS),
    .HEADS(HEADS),
    .LANES(MP)
  ) u_slots (
    .clk,
    .rst,
    .step (write && wchunk_last),
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
    .LANE_BITS(PE),
    .LANES(MP),
    .STYLE(ADDR_BITS <= 6 ? 0 : ULTRA ? 2 : 1)
  ) u_ram (
    .clk,
    .we({MP{write}} & lane),
    .waddr(
      ADDR_BITS'(wslot) << (GROUP_FIELD + HEAD_FIELD + CHUNK_FIELD)
          | ADDR_BITS'(wgroup) << (HEAD_FIELD + CHUNK_FIELD)
          | ADDR_BITS'(whead) << CHUNK_FIELD | ADDR_BITS'(wchunk_q)
    ),
    .wdata(word),
    .re,
    .raddr(
      ADDR_BITS'(rslot) << (GROUP_FIELD + HEAD_FIELD + CHUNK_FIELD)
          | ADDR_BITS'(group) << (HEAD_FIELD + CHUNK_FIELD)
          | ADDR_BITS'(head) << CHUNK_FIELD | ADDR_BITS'(chunk)
    ),
    .rdata(bits)
  );

endmodule

`default_nettype wire
