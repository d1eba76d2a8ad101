// DRAM behind an AXI4 port, with latency and stalls, and with checks of what the master promises.
//
// Words of 64 bits from address BASE on; a beat of PORT bits is one, or several. Reads are answered in order, LATENCY_MIN to LATENCY_MAX cycles behind their
// address; each channel stalls in STALL of 16 cycles. Beats at error_addr (when not 0) are answered with SLVERR. With
// `mute` nothing is answered.
module axi_memory #(
  parameter int ADDRESS = 32,
  parameter int PORT = 64,
  parameter int WORDS = 1024,
  parameter int BASE = 0,
  parameter int BURST = 16,
  parameter int OUTSTANDING = 4,
  parameter int LATENCY_MIN = 5,
  parameter int LATENCY_MAX = 20,
  parameter int STALL = 4
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic mute,
  input wire logic [ADDRESS-1:0] error_addr,
  input wire logic [ADDRESS-1:0] araddr,
  input wire logic [7:0] arlen,
  input wire logic [2:0] arsize,
  input wire logic [1:0] arburst,
  input wire logic arvalid,
  output logic arready,
  output logic [PORT-1:0] rdata,
  output logic [1:0] rresp,
  output logic rlast,
  output logic rvalid,
  input wire logic rready,
  input wire logic [ADDRESS-1:0] awaddr,
  input wire logic [7:0] awlen,
  input wire logic [2:0] awsize,
  input wire logic [1:0] awburst,
  input wire logic awvalid,
  output logic awready,
  input wire logic [PORT-1:0] wdata,
  input wire logic [PORT/8-1:0] wstrb,
  input wire logic wlast,
  input wire logic wvalid,
  output logic wready,
  output logic [1:0] bresp,
  output logic bvalid,
  input wire logic bready
);
  localparam int BYTES = PORT / 8;
  localparam int PER_BEAT = PORT / 64;
  logic [63:0] mem[WORDS];
  logic [ADDRESS-1:0] read_at[$], write_at[$];
  int read_len[$], read_due[$], write_len[$], answer_due[$], answer_error[$];
  int now = 0, read_beat = 0, write_beat = 0, write_error = 0, reading = 0, writing = 0;
  logic [ADDRESS-1:0] at;
  logic ar_held = 1'b0, aw_held = 1'b0, w_held = 1'b0;
  logic [ADDRESS+7:0] ar_was, aw_was;
  logic [PORT:0] w_was;
  function automatic logic stalls();
    return $urandom_range(15) < STALL;
  endfunction
  function automatic int index_of(input logic [ADDRESS-1:0] address);
    return (32'(address) - BASE) / 8;
  endfunction
  function automatic void judge(input logic [ADDRESS-1:0] address, input logic [7:0] len, input string name);
    assert (32'(address) % BYTES == 0) else $error("%s: address %0h is no multiple of a beat", name, address);
    assert (32'(len) < BURST) else $error("%s: a burst of %0d beats", name, 32'(len) + 1);
    assert (32'(address[11:0]) + BYTES * (32'(len) + 1) <= 4096) else $error("%s: a burst crosses 4 KB", name);
    assert (index_of(address) >= 0 && index_of(address) + PER_BEAT * (32'(len) + 1) <= WORDS)
    else $error("%s: address %0h is outside", name, address);
  endfunction
  initial begin
    {arready, rvalid, awready, wready, bvalid} = '0;
  end
  always @(posedge clk) begin
    now <= now + 1;
    if (rst) begin
      {arready, rvalid, awready, wready, bvalid} <= '0;
      {ar_held, aw_held, w_held} <= '0;
      read_at.delete(); read_len.delete(); read_due.delete(); write_at.delete(); write_len.delete();
      answer_due.delete(); answer_error.delete();
      {read_beat, write_beat, write_error, reading, writing} <= '0;
    end else begin
      // What is on offer stays.
      if (ar_held) assert (arvalid && {araddr, arlen} == ar_was) else $error("AR: an address went away or changed");
      if (aw_held) assert (awvalid && {awaddr, awlen} == aw_was) else $error("AW: an address went away or changed");
      if (w_held) assert (wvalid && {wdata, wlast} == w_was) else $error("W: data went away or changed");
      ar_held <= arvalid && !arready;
      aw_held <= awvalid && !awready;
      w_held <= wvalid && !wready;
      ar_was <= {araddr, arlen};
      aw_was <= {awaddr, awlen};
      w_was <= {wdata, wlast};
      arready <= !mute && !stalls();
      awready <= !mute && !stalls();
      wready <= !mute && !stalls();
      if (arvalid && arready) begin
        judge(araddr, arlen, "AR");
        assert (arsize == 3'($clog2(BYTES)) && arburst == 2'b01) else $error("AR: size %0d, burst %0d", arsize, arburst);
        read_at.push_back(araddr);
        read_len.push_back(32'(arlen) + 1);
        read_due.push_back(now + $urandom_range(LATENCY_MAX, LATENCY_MIN));
        reading = reading + 1;
        assert (reading <= OUTSTANDING) else $error("AR: %0d bursts under way", reading);
      end
      if (rvalid && rready) begin
        rvalid <= 1'b0;
        if (rlast) reading = reading - 1;
      end
      if ((!rvalid || rready) && read_at.size() > 0 && now >= read_due[0] && !stalls() && !mute) begin
        at = read_at[0] + ADDRESS'(BYTES * read_beat);
        rvalid <= 1'b1;
        for (int i = 0; i < PER_BEAT; i++) rdata[64*i+:64] <= mem[index_of(at)+i];
        rresp <= (error_addr != '0 && at == error_addr) ? 2'b10 : 2'b00;
        rlast <= read_beat == read_len[0] - 1;
        if (read_beat == read_len[0] - 1) begin
          read_beat = 0;
          void'(read_at.pop_front());
          void'(read_len.pop_front());
          void'(read_due.pop_front());
        end else begin
          read_beat = read_beat + 1;
        end
      end else if (!rvalid || rready) begin
        // Noise on what belongs to a valid that is low.
        {rdata, rresp, rlast} <= (PORT + 3)'({$urandom, $urandom, $urandom, $urandom, $urandom});
      end
      if (awvalid && awready) begin
        judge(awaddr, awlen, "AW");
        assert (awsize == 3'($clog2(BYTES)) && awburst == 2'b01) else $error("AW: size %0d, burst %0d", awsize, awburst);
        write_at.push_back(awaddr);
        write_len.push_back(32'(awlen) + 1);
        writing = writing + 1;
        assert (writing <= OUTSTANDING) else $error("AW: %0d bursts under way", writing);
      end
      if (wvalid && wready) begin
        assert (write_at.size() > 0) else $error("W: data without an address");
        assert (wstrb == '1) else $error("W: strobes %b", wstrb);
        if (write_at.size() > 0) begin
          at = write_at[0] + ADDRESS'(BYTES * write_beat);
          for (int i = 0; i < PER_BEAT; i++) mem[index_of(at)+i] <= wdata[64*i+:64];
          if (error_addr != '0 && at == error_addr) write_error = 1;
          assert (wlast == (write_beat == write_len[0] - 1)) else $error("W: WLAST %b at beat %0d", wlast, write_beat);
          if (write_beat == write_len[0] - 1) begin
            answer_due.push_back(now + $urandom_range(LATENCY_MAX, LATENCY_MIN));
            answer_error.push_back(write_error);
            write_beat = 0;
            write_error = 0;
            void'(write_at.pop_front());
            void'(write_len.pop_front());
          end else begin
            write_beat = write_beat + 1;
          end
        end
      end
      if (bvalid && bready) begin
        bvalid <= 1'b0;
        writing = writing - 1;
      end
      if ((!bvalid || bready) && answer_due.size() > 0 && now >= answer_due[0] && !stalls() && !mute) begin
        bvalid <= 1'b1;
        bresp <= answer_error[0] != 0 ? 2'b10 : 2'b00;
        void'(answer_due.pop_front());
        void'(answer_error.pop_front());
      end
    end
  end
endmodule
