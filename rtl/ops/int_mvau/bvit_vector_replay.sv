// Input side of a folded matrix-vector unit: keeps up to two vectors of BEATS beats and shows
// each of them ROUNDS times, one beat a cycle, while the next one arrives.
//
// Throughput: one beat a cycle out, no bubbles between rounds nor between vectors; the first round
// of a vector follows its arrival beat by beat, two cycles later. `x`, `valid`, `first` and `last`
// (of a round) come from registers that move with `en`; `addr` counts the beat that they take next.
// Ready does not depend on `en`, except for ROUNDS 1, where nothing needs to be kept and the beat
// passes through in one cycle.
`default_nettype none

module bvit_vector_replay #(
  parameter int WIDTH = 8,
  parameter int BEATS = 2,
  parameter int ROUNDS = 2,
  parameter bit BLOCK = 1'b0,
  localparam int ADDR_BITS = (ROUNDS * BEATS > 1) ? $clog2(ROUNDS * BEATS) : 1
) (
  input  wire logic                 clk,
  input  wire logic                 rst,
  input  wire logic                 en,
  input  wire logic [WIDTH-1:0]     s_axis_tdata,
  input  wire logic                 s_axis_tvalid,
  output      logic                 s_axis_tready,
  output      logic [ADDR_BITS-1:0] addr,
  output      logic [WIDTH-1:0]     x,
  output      logic                 valid,
  output      logic                 first,
  output      logic                 last
);
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;

  if (WIDTH < 1 || BEATS < 1 || ROUNDS < 1) begin : gen_illegal
    $error("bvit_vector_replay: WIDTH=%0d, BEATS=%0d and ROUNDS=%0d must be positive",
           WIDTH, BEATS, ROUNDS);
  end

  logic readable, step;
  logic [BEAT_BITS-1:0] beat;
  assign step = en & readable;

  bvit_beat_counter #(
    .BEATS(BEATS),
    .ROUNDS(ROUNDS),
    .FRAME(1'b1)
  ) u_counter (
    .clk(clk),
    .rst(rst),
    .step(step),
    .beat(beat),
    .frame_beat(addr)
  );

  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else if (en) valid <= readable;
  end
  always_ff @(posedge clk) begin
    if (en) begin
      first <= beat == '0;
      last <= beat == BEAT_BITS'(BEATS - 1);
    end
  end

  if (ROUNDS == 1) begin : gen_pass
    assign readable = s_axis_tvalid;
    assign s_axis_tready = en;
    always_ff @(posedge clk) if (en) x <= s_axis_tdata;
  end else begin : gen_replay
    localparam int DEPTH = 2 << BEAT_BITS;
    localparam int LEVEL_BITS = $clog2(2 * BEATS + 1);
    // beats written and not yet shown for the last time
    logic [LEVEL_BITS-1:0] level_q;
    logic write, release_beat, final_round, replay_q;
    logic write_bank_q, read_bank_q;
    logic [BEAT_BITS-1:0] write_beat;

    assign write = s_axis_tvalid & s_axis_tready;
    assign s_axis_tready = level_q != LEVEL_BITS'(2 * BEATS);
    assign final_round = addr >= ADDR_BITS'((ROUNDS - 1) * BEATS);
    assign release_beat = step & final_round;
    assign readable = replay_q | (level_q > LEVEL_BITS'(beat));

    bvit_beat_counter #(
      .BEATS(BEATS)
    ) u_write (
      .clk(clk),
      .rst(rst),
      .step(write),
      .beat(write_beat),
      /* verilator lint_off PINCONNECTEMPTY */
      .frame_beat()
      /* verilator lint_on PINCONNECTEMPTY */
    );

    always_ff @(posedge clk) begin
      if (rst) begin
        level_q <= '0;
        replay_q <= 1'b0;
        write_bank_q <= 1'b0;
        read_bank_q <= 1'b0;
      end else begin
        if (write != release_beat) level_q <= write ? level_q + 1'b1 : level_q - 1'b1;
        if (step && beat == BEAT_BITS'(BEATS - 1)) begin
          replay_q <= !final_round;
          if (final_round) read_bank_q <= !read_bank_q;
        end
        if (write && write_beat == BEAT_BITS'(BEATS - 1)) write_bank_q <= !write_bank_q;
      end
    end

    if (BLOCK) begin : gen_block
      (* ram_style = "block" *) logic [WIDTH-1:0] mem[DEPTH];
      always_ff @(posedge clk) begin
        if (write) mem[{write_bank_q, write_beat}] <= s_axis_tdata;
      end
      always_ff @(posedge clk) if (en) x <= mem[{read_bank_q, beat}];
    end else begin : gen_distributed
      (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[DEPTH];
      always_ff @(posedge clk) begin
        if (write) mem[{write_bank_q, write_beat}] <= s_axis_tdata;
      end
      always_ff @(posedge clk) if (en) x <= mem[{read_bank_q, beat}];
    end
  end
endmodule

`default_nettype wire
