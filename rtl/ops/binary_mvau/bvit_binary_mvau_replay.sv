// Input side of bvit_binary_mvau: gives every token NF times over, beat after beat.
//
// Room for two tokens: while one is replayed the next one is taken. The first pass over a token
// runs behind its arrival beat by beat: a beat comes out two cycles after it was taken. m_valid and
// m_bits belong to the last enabled cycle; m_first and m_last mark the first and the last beat of a
// pass; address counts all NF * SF beats of a token. With NF = 1 nothing is stored, latency is one
// cycle and s_axis_tready is `en`; else it is a register's output.
`default_nettype none

module bvit_binary_mvau_replay #(
  parameter int WIDTH = 64,
  parameter int SF = 8,       // beats of a token
  parameter int NF = 16,      // passes over a token
  parameter int ADDRESS = 7   // width of the address
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               en,
  input  wire logic [  WIDTH-1:0] s_axis_tdata,
  input  wire logic               s_axis_tvalid,
  output wire logic               s_axis_tready,
  output wire logic               m_valid,
  output wire logic               m_first,
  output wire logic               m_last,
  output wire logic [  WIDTH-1:0] m_bits,
  output wire logic [ADDRESS-1:0] address
);

  localparam int SF_BITS = (SF > 1) ? $clog2(SF) : 1;
  localparam int NF_BITS = (NF > 1) ? $clog2(NF) : 1;

  logic [SF_BITS-1:0] beat_q;
  logic [NF_BITS-1:0] pass_q;
  logic [ADDRESS-1:0] next_q;
  logic [ADDRESS-1:0] address_q;
  logic [WIDTH-1:0] bits_q;
  logic [2:0] tags_q;

  wire logic there;
  wire logic give = en && there;
  wire logic pass_end = beat_q == SF_BITS'(SF - 1);
  wire logic token_end = pass_end && pass_q == NF_BITS'(NF - 1);

  always_ff @(posedge clk) begin
    if (rst) begin
      beat_q <= '0;
      pass_q <= '0;
      next_q <= '0;
    end else if (give) begin
      beat_q <= pass_end ? '0 : beat_q + SF_BITS'(1);
      if (pass_end) pass_q <= token_end ? '0 : pass_q + NF_BITS'(1);
      next_q <= token_end ? '0 : next_q + ADDRESS'(1);
    end
  end

  always_ff @(posedge clk) if (en) address_q <= next_q;

  always_ff @(posedge clk) begin
    if (rst) tags_q <= '0;
    else if (en) tags_q <= {there, beat_q == '0, pass_end};
  end

  if (NF == 1) begin : gen_direct
    assign there = s_axis_tvalid;
    assign s_axis_tready = en;
    always_ff @(posedge clk) if (en) bits_q <= s_axis_tdata;
  end else begin : gen_stored
    // Two banks of a power of two words, a token in each.
    localparam int BANK = (SF > 1) ? $clog2(SF) : 0;
    localparam int COUNT = $clog2(2 * SF + 1);
    // Few words, or narrow ones: block RAM is worth more elsewhere.
    (* ram_style = "distributed" *) logic [WIDTH-1:0] memory[2<<BANK];
    logic [SF_BITS-1:0] write_beat_q;
    logic write_bank_q;
    logic read_bank_q;
    logic [COUNT-1:0] held_q;   // beats that some pass still needs
    logic [COUNT-1:0] held_d;
    logic [COUNT-1:0] fresh_q;  // beats that the first pass has not read
    logic [COUNT-1:0] fresh_d;
    logic ready_q;
    logic there_q;              // fresh_q is not zero

    wire logic take = s_axis_tvalid && ready_q;
    wire logic free = give && pass_q == NF_BITS'(NF - 1);
    wire logic use_fresh = give && pass_q == '0;
    wire logic [BANK:0] write_address;
    wire logic [BANK:0] read_address;

    if (SF > 1) begin : gen_beats
      assign write_address = {write_bank_q, write_beat_q};
      assign read_address = {read_bank_q, beat_q};
    end else begin : gen_beat
      assign write_address = write_bank_q;
      assign read_address = read_bank_q;
    end

    assign held_d = held_q + COUNT'(take) - COUNT'(free);
    assign fresh_d = fresh_q + COUNT'(take) - COUNT'(use_fresh);
    assign there = pass_q != '0 || there_q;
    assign s_axis_tready = ready_q;

    always_ff @(posedge clk) begin
      if (rst) begin
        write_beat_q <= '0;
        write_bank_q <= 1'b0;
        read_bank_q <= 1'b0;
        held_q <= '0;
        fresh_q <= '0;
        ready_q <= 1'b0;
        there_q <= 1'b0;
      end else begin
        if (take) begin
          if (write_beat_q == SF_BITS'(SF - 1)) begin
            write_beat_q <= '0;
            write_bank_q <= !write_bank_q;
          end else begin
            write_beat_q <= write_beat_q + SF_BITS'(1);
          end
        end
        if (give && token_end) read_bank_q <= !read_bank_q;
        held_q <= held_d;
        fresh_q <= fresh_d;
        ready_q <= held_d != COUNT'(2 * SF);
        there_q <= fresh_d != '0;
      end
    end

    always_ff @(posedge clk) if (take) memory[write_address] <= s_axis_tdata;
    always_ff @(posedge clk) if (en) bits_q <= memory[read_address];

`ifndef SYNTHESIS
    always_ff @(posedge clk) begin
      if (!rst) begin
        assert (held_q <= COUNT'(2 * SF) && fresh_q <= held_q)
        else $error("bvit_binary_mvau_replay: more beats counted than stored");
      end
    end
`endif
  end

  assign {m_valid, m_first, m_last} = tags_q;
  assign m_bits = bits_q;
  assign address = address_q;

endmodule

`default_nettype wire
