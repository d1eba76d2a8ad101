// One stream to several: each output takes its copy of a beat when it likes.
//
// Full rate; latency 0. valid is combinational on the input's valid, the input's ready on the
// outputs' readies; valid never depends on ready, so there is no combinational loop. The beat waits
// at the input until the last output has taken it; a bit for each output remembers who has.
//
// The number of ports cannot be a parameter in SystemVerilog, hence a wrapper for each number of
// copies in this one file: bvit_duplicate2 to bvit_duplicate8 with ports m0_axis, m1_axis, ...
`default_nettype none

/* verilator lint_off DECLFILENAME */
module bvit_duplicate #(
  parameter int COPIES = 2
) (
  input  wire logic              clk,
  input  wire logic              rst,
  input  wire logic              s_axis_tvalid,
  output logic                   s_axis_tready,
  output logic [COPIES-1:0]      m_axis_tvalid,
  input  wire logic [COPIES-1:0] m_axis_tready
);
  if (COPIES < 2) begin : gen_bad_copies
    $error("bvit_duplicate: COPIES must be at least 2");
  end

  logic [COPIES-1:0] taken_q;  // outputs that already have the beat at the input
  logic [COPIES-1:0] has;      // outputs that have it or take it now
  assign has = taken_q | m_axis_tready;
  assign s_axis_tready = &has;
  assign m_axis_tvalid = {COPIES{s_axis_tvalid}} & ~taken_q;
  always_ff @(posedge clk) begin
    if (rst) taken_q <= '0;
    else if (s_axis_tvalid) taken_q <= s_axis_tready ? '0 : has;
  end
endmodule

module bvit_duplicate2 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(2)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m1_axis_tready, m0_axis_tready})
  );
endmodule

module bvit_duplicate3 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(3)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m2_axis_tvalid, m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m2_axis_tready, m1_axis_tready, m0_axis_tready})
  );
endmodule

module bvit_duplicate4 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready,
  output logic [W-1:0]      m3_axis_tdata,
  output logic              m3_axis_tvalid,
  input  wire logic         m3_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  assign m3_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(4)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m3_axis_tvalid, m2_axis_tvalid, m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m3_axis_tready, m2_axis_tready, m1_axis_tready, m0_axis_tready})
  );
endmodule

module bvit_duplicate5 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready,
  output logic [W-1:0]      m3_axis_tdata,
  output logic              m3_axis_tvalid,
  input  wire logic         m3_axis_tready,
  output logic [W-1:0]      m4_axis_tdata,
  output logic              m4_axis_tvalid,
  input  wire logic         m4_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  assign m3_axis_tdata = s_axis_tdata;
  assign m4_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(5)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m4_axis_tvalid, m3_axis_tvalid, m2_axis_tvalid, m1_axis_tvalid,
      m0_axis_tvalid}),
    .m_axis_tready({m4_axis_tready, m3_axis_tready, m2_axis_tready, m1_axis_tready,
      m0_axis_tready})
  );
endmodule

module bvit_duplicate6 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready,
  output logic [W-1:0]      m3_axis_tdata,
  output logic              m3_axis_tvalid,
  input  wire logic         m3_axis_tready,
  output logic [W-1:0]      m4_axis_tdata,
  output logic              m4_axis_tvalid,
  input  wire logic         m4_axis_tready,
  output logic [W-1:0]      m5_axis_tdata,
  output logic              m5_axis_tvalid,
  input  wire logic         m5_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  assign m3_axis_tdata = s_axis_tdata;
  assign m4_axis_tdata = s_axis_tdata;
  assign m5_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(6)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m5_axis_tvalid, m4_axis_tvalid, m3_axis_tvalid, m2_axis_tvalid,
      m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m5_axis_tready, m4_axis_tready, m3_axis_tready, m2_axis_tready,
      m1_axis_tready, m0_axis_tready})
  );
endmodule

module bvit_duplicate7 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready,
  output logic [W-1:0]      m3_axis_tdata,
  output logic              m3_axis_tvalid,
  input  wire logic         m3_axis_tready,
  output logic [W-1:0]      m4_axis_tdata,
  output logic              m4_axis_tvalid,
  input  wire logic         m4_axis_tready,
  output logic [W-1:0]      m5_axis_tdata,
  output logic              m5_axis_tvalid,
  input  wire logic         m5_axis_tready,
  output logic [W-1:0]      m6_axis_tdata,
  output logic              m6_axis_tvalid,
  input  wire logic         m6_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  assign m3_axis_tdata = s_axis_tdata;
  assign m4_axis_tdata = s_axis_tdata;
  assign m5_axis_tdata = s_axis_tdata;
  assign m6_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(7)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m6_axis_tvalid, m5_axis_tvalid, m4_axis_tvalid, m3_axis_tvalid,
      m2_axis_tvalid, m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m6_axis_tready, m5_axis_tready, m4_axis_tready, m3_axis_tready,
      m2_axis_tready, m1_axis_tready, m0_axis_tready})
  );
endmodule

module bvit_duplicate8 #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m0_axis_tdata,
  output logic              m0_axis_tvalid,
  input  wire logic         m0_axis_tready,
  output logic [W-1:0]      m1_axis_tdata,
  output logic              m1_axis_tvalid,
  input  wire logic         m1_axis_tready,
  output logic [W-1:0]      m2_axis_tdata,
  output logic              m2_axis_tvalid,
  input  wire logic         m2_axis_tready,
  output logic [W-1:0]      m3_axis_tdata,
  output logic              m3_axis_tvalid,
  input  wire logic         m3_axis_tready,
  output logic [W-1:0]      m4_axis_tdata,
  output logic              m4_axis_tvalid,
  input  wire logic         m4_axis_tready,
  output logic [W-1:0]      m5_axis_tdata,
  output logic              m5_axis_tvalid,
  input  wire logic         m5_axis_tready,
  output logic [W-1:0]      m6_axis_tdata,
  output logic              m6_axis_tvalid,
  input  wire logic         m6_axis_tready,
  output logic [W-1:0]      m7_axis_tdata,
  output logic              m7_axis_tvalid,
  input  wire logic         m7_axis_tready
);
  assign m0_axis_tdata = s_axis_tdata;
  assign m1_axis_tdata = s_axis_tdata;
  assign m2_axis_tdata = s_axis_tdata;
  assign m3_axis_tdata = s_axis_tdata;
  assign m4_axis_tdata = s_axis_tdata;
  assign m5_axis_tdata = s_axis_tdata;
  assign m6_axis_tdata = s_axis_tdata;
  assign m7_axis_tdata = s_axis_tdata;
  bvit_duplicate #(.COPIES(8)) u_control (
    .clk, .rst, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tvalid({m7_axis_tvalid, m6_axis_tvalid, m5_axis_tvalid, m4_axis_tvalid,
      m3_axis_tvalid, m2_axis_tvalid, m1_axis_tvalid, m0_axis_tvalid}),
    .m_axis_tready({m7_axis_tready, m6_axis_tready, m5_axis_tready, m4_axis_tready,
      m3_axis_tready, m2_axis_tready, m1_axis_tready, m0_axis_tready})
  );
endmodule
/* verilator lint_on DECLFILENAME */

`default_nettype wire
