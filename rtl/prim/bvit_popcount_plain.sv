// XNOR popcounts of LANES weight words against one beat of activations, left to the synthesis tool.
//
// For very small N, and as the reference the shared-parity structure is compared with. One beat a
// cycle; latency 2 enabled cycles, the word one enabled cycle behind its beat, as in
// bvit_popcount_shared. Weight word: position i is the weight of bit i.
`default_nettype none

module bvit_popcount_plain #(
  parameter int N = 8,      // products per lane
  parameter int LANES = 1,
  parameter int TAGS = 3,
  parameter int BITS = 4    // width of a row: clog2(N + 1)
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  en,
  input  wire logic [      TAGS-1:0] s_tags,
  input  wire logic [         N-1:0] s_bits,
  input  wire logic [   N*LANES-1:0] word,
  output wire logic [      TAGS-1:0] m_tags,
  output wire logic [BITS*LANES-1:0] row      // lane j: [j*BITS +: BITS]
);

  if (BITS != $clog2(N + 1)) begin : gen_bad_bits
    $error("bvit_popcount_plain: BITS is not clog2(N + 1)");
  end

  logic [N-1:0] bits_q;
  logic [BITS*LANES-1:0] row_d;
  logic [BITS*LANES-1:0] row_q;
  logic [2*TAGS-1:0] tags_q;

  for (genvar j = 0; j < LANES; j++) begin : gen_lane
    wire logic [N-1:0] weights;
    for (genvar i = 0; i < N; i++) begin : gen_bit
      assign weights[i] = word[i*LANES+j];
    end
    assign row_d[j*BITS+:BITS] = BITS'($countones(bits_q ~^ weights));
  end

  always_ff @(posedge clk) begin
    if (en) begin
      bits_q <= s_bits;
      row_q  <= row_d;
    end
  end

  always_ff @(posedge clk) begin
    if (rst) tags_q <= '0;
    else if (en) tags_q <= {tags_q[TAGS-1:0], s_tags};
  end

  assign row = row_q;
  assign m_tags = tags_q[TAGS+:TAGS];

endmodule

`default_nettype wire
