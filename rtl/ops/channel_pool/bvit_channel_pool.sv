// Sums of GROUP consecutive channels (signed, full width).
//
// PE input lanes hold several whole groups (PE/GROUP output lanes) or a part of one (GROUP/PE beats
// are accumulated, one output lane). Throughput one input beat a cycle, no bubbles. Latency 1 cycle
// after a group's last beat. Input ready is combinational on output ready.
`default_nettype none

module bvit_channel_pool #(
  parameter int GROUP = 4,
  parameter int IN_BITS = 8,
  parameter int PE = 4,
  localparam int OUT_LANES = (PE >= GROUP) ? PE / GROUP : 1,
  localparam int SUM_BITS = IN_BITS + $clog2(GROUP)
) (
  input  wire logic                          clk,
  input  wire logic                          rst,
  input  wire logic [PE*IN_BITS-1:0]         s_axis_tdata,
  input  wire logic                          s_axis_tvalid,
  output      logic                          s_axis_tready,
  output      logic [OUT_LANES*SUM_BITS-1:0] m_axis_tdata,
  output      logic                          m_axis_tvalid,
  input  wire logic                          m_axis_tready
);
  if (GROUP < 1 || PE < 1 || IN_BITS < 1 || (PE % GROUP != 0 && GROUP % PE != 0)) begin : gen_illegal
    $error("bvit_channel_pool: PE=%0d is neither multiple nor divisor of GROUP=%0d", PE, GROUP);
  end

  localparam int TERMS = PE / OUT_LANES;                 // input lanes of one output lane
  localparam int BEATS = (PE >= GROUP) ? 1 : GROUP / PE;  // beats of one group

  logic en, take, first, last, valid_q;
  assign en = !valid_q || m_axis_tready;
  assign s_axis_tready = en;
  assign take = s_axis_tvalid && en;
  assign m_axis_tvalid = valid_q;
  always_ff @(posedge clk) begin
    if (rst) valid_q <= 1'b0;
    else if (en) valid_q <= take && last;
  end

  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(BEATS)) u_beat (.clk, .rst, .step(take), .index(), .first, .last);
  /* verilator lint_on PINCONNECTEMPTY */

  for (genvar lane = 0; lane < OUT_LANES; lane++) begin : gen_lane
    // A balanced tree in heap order: node n is the sum of nodes 2n and 2n+1, the leaves follow TERMS-1.
    logic signed [SUM_BITS-1:0] node[2*TERMS];
    logic signed [SUM_BITS-1:0] sum_q, sum_d;
    for (genvar i = 0; i < TERMS; i++) begin : gen_leaf
      assign node[TERMS+i] = SUM_BITS'(signed'(s_axis_tdata[(lane*TERMS+i)*IN_BITS+:IN_BITS]));
    end
    for (genvar n = 1; n < TERMS; n++) begin : gen_node
      assign node[n] = node[2*n] + node[2*n+1];
    end
    assign node[0] = '0;
    if (BEATS == 1) begin : gen_direct
      // The masked operand comes second: it then shares the adder's tables.
      assign sum_d = node[1];
      logic unused;
      assign unused = first;
    end else begin : gen_accumulate
      // The masked operand comes second: it then shares the adder's tables.
      assign sum_d = node[1] + (first ? '0 : sum_q);
    end
    always_ff @(posedge clk) if (take) sum_q <= sum_d;
    assign m_axis_tdata[lane*SUM_BITS+:SUM_BITS] = sum_q;
    logic unused_root;
    assign unused_root = ^node[0];
  end
endmodule

`default_nettype wire
