// First-word-fall-through FIFO between two operators; ready, valid and data come from registers. It
// takes nothing in reset.
//
// Full rate at every depth: one beat in and one out each cycle. It holds DEPTH beats, the output
// register included. Latency from empty: 1 cycle (DEPTH = 2), 2 (LUT RAM), 3 (block RAM, UltraRAM).
// LUT RAM comes in 32 words: a depth of 32 costs what a depth of 3 does, and for wide streams no
// more than a depth of 2. With block RAM and UltraRAM a word is read into the RAM's latch, and out_q
// can be its output register. UltraRAM has one clock, synchronous ports and no initial contents
// (AMD UG573, UG901); a FIFO asks for no more.
// In simulation `max_count_q` tells the most beats ever held since reset, for sizing.
`default_nettype none

module bvit_fifo #(
  parameter int W = 8,       // width of tdata in bits
  parameter int DEPTH = 2,   // beats held, >= 2 (>= 4 with STYLE 1 and 2)
  parameter int STYLE = 0,   // 0: registers or LUT RAM, 1: block RAM, 2: UltraRAM
  parameter int ROWS = 4096  // words of an UltraRAM; proofs take fewer
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire logic         m_axis_tready
);
  if (W < 1) begin : gen_bad_width
    $error("bvit_fifo: W must be at least 1");
  end
  if (STYLE < 0 || STYLE > 2) begin : gen_bad_style
    $error("bvit_fifo: STYLE must be 0, 1 or 2");
  end
  if (DEPTH < (STYLE > 0 ? 4 : 2)) begin : gen_bad_depth
    $error("bvit_fifo: DEPTH must be at least 2, with STYLE 1 and 2 at least 4");
  end
  if (ROWS < 2 || ROWS != 1 << $clog2(ROWS)) begin : gen_bad_rows
    $error("bvit_fifo: ROWS must be a power of two");
  end

  localparam int CountW = $clog2(DEPTH + 1);

  logic push, pop;
  assign push = s_axis_tvalid && s_axis_tready;
  assign pop = m_axis_tvalid && m_axis_tready;

  // All beats inside, in whichever stage.
  logic [CountW-1:0] count_d, count_q;
  assign count_d = count_q + CountW'(push) - CountW'(pop);
  always_ff @(posedge clk) begin
    if (rst) count_q <= '0;
    else count_q <= count_d;
  end

  // Ready is a register because it looks a cycle ahead; what moves in this cycle reaches it through no counter, for
  // here the chains of several operators' readies end.
  logic ready_q;
  assign s_axis_tready = ready_q;

  logic [W-1:0] out_q;
  logic         valid_q;
  logic         free;  // the output register takes a new beat
  assign free = !valid_q || m_axis_tready;
  assign m_axis_tdata = out_q;
  assign m_axis_tvalid = valid_q;

  if (DEPTH == 2) begin : gen_skid
    logic [W-1:0] skid_q;
    logic         skid_valid_q;
    always_ff @(posedge clk) begin
      if (rst) begin
        valid_q <= 1'b0;
        skid_valid_q <= 1'b0;
      end else if (free) begin
        valid_q <= skid_valid_q || push;
        skid_valid_q <= skid_valid_q && push;
      end else if (push) begin
        skid_valid_q <= 1'b1;
      end
    end
    always_ff @(posedge clk) begin
      if (rst) ready_q <= 1'b0;
      else ready_q <= free || !(push || skid_valid_q);
    end
    always_ff @(posedge clk) begin
      if (push) skid_q <= s_axis_tdata;
      if (free) out_q <= skid_valid_q ? skid_q : s_axis_tdata;
    end
  end else begin : gen_memory
    // Pointers alone tell whether the memory holds a beat: it never holds DEPTH of them, since beats
    // move on to the output register at once. Small sizes are rounded up, which costs no LUT RAM.
    localparam int AddrW = $clog2(DEPTH);
    localparam int Size = (DEPTH <= 64) ? 1 << AddrW : DEPTH;
    localparam bit Wraps = Size != 1 << AddrW;
    logic [AddrW-1:0] write_q, read_q;
    logic stored, read;
    assign stored = write_q != read_q;

    logic last_q;  // one place is left; while ready is low: a reset was there the cycle before
    always_ff @(posedge clk) begin
      if (rst) begin
        ready_q <= 1'b0;
        last_q <= 1'b1;
      end else begin
        ready_q <= ready_q ? !(last_q && push && !pop) : pop || last_q;
        if (!ready_q) last_q <= pop;
        else if (push != pop) last_q <= push && count_q == CountW'(DEPTH - 2);
      end
    end

    always_ff @(posedge clk) begin
      if (rst) begin
        write_q <= '0;
        read_q <= '0;
      end else begin
        if (push) write_q <= (Wraps && write_q == AddrW'(Size - 1)) ? '0 : write_q + 1'b1;
        if (read) read_q <= (Wraps && read_q == AddrW'(Size - 1)) ? '0 : read_q + 1'b1;
      end
    end

    if (STYLE == 0) begin : gen_lutram
      (* ram_style = "distributed" *)
      logic [W-1:0] mem[Size];
      assign read = free && stored;
      always_ff @(posedge clk) begin
        if (rst) valid_q <= 1'b0;
        else if (free) valid_q <= stored;
      end
      always_ff @(posedge clk) begin
        if (push) mem[write_q] <= s_axis_tdata;
        if (free) out_q <= mem[read_q];
      end
    end else begin : gen_block
      logic [W-1:0] latch_q;  // the RAM's read latch; out_q becomes its output register
      logic latch_valid_q;
      assign read = stored && (!latch_valid_q || free);
      always_ff @(posedge clk) begin
        if (rst) begin
          valid_q <= 1'b0;
          latch_valid_q <= 1'b0;
        end else begin
          if (free) valid_q <= latch_valid_q;
          if (read) latch_valid_q <= 1'b1;
          else if (free) latch_valid_q <= 1'b0;
        end
      end
      always_ff @(posedge clk) if (free) out_q <= latch_q;
      // Nothing is read in the cycle in which it is written: no port has to look at the other one.
      if (STYLE == 1) begin : gen_bram
        (* ram_style = "block" *)
        logic [W-1:0] mem[Size];
        always_ff @(posedge clk) begin
          if (push) mem[write_q] <= s_axis_tdata;
          if (read) latch_q <= mem[read_q];
        end
      end else begin : gen_ultra
        // An UltraRAM is ROWS words of 72 bits, nothing else. Where it takes fewer of them, the banks of
        // a FIFO deeper than that lie side by side in one word, each a column of whole bytes, for which
        // there are write enables.
        localparam int Banks = (Size + ROWS - 1) / ROWS;
        localparam int By8 = (W + 7) / 8 * 8;
        localparam int By9 = (W + 8) / 9 * 9;
        localparam int Column = (By8 < By9) ? By8 : By9;
        if ((Banks * Column + 71) / 72 >= Banks * ((W + 71) / 72)) begin : gen_plain
          (* ram_style = "ultra" *)
          logic [W-1:0] mem[Size];
          always_ff @(posedge clk) begin
            if (push) mem[write_q] <= s_axis_tdata;
            if (read) latch_q <= mem[read_q];
          end
        end else begin : gen_beside
          localparam int RowW = $clog2(ROWS);
          (* ram_style = "ultra" *)
          logic [Banks*Column-1:0] mem[ROWS];
          logic [Banks-1:0][Column-1:0] word_q;
          logic [AddrW-RowW-1:0] bank_q;
          always_ff @(posedge clk) begin
            for (int bank = 0; bank < Banks; bank++) begin
              if (push && write_q[AddrW-1:RowW] == (AddrW - RowW)'(bank)) begin
                mem[write_q[RowW-1:0]][bank*Column+:Column] <= Column'(s_axis_tdata);
              end
            end
            if (read) begin
              word_q <= mem[read_q[RowW-1:0]];
              bank_q <= read_q[AddrW-1:RowW];
            end
          end
          assign latch_q = word_q[bank_q][W-1:0];
          logic unused;
          assign unused = ^word_q;
        end
      end
    end
  end

`ifndef SYNTHESIS
  logic [CountW-1:0] max_count_q /*verilator public_flat_rd*/;
  always_ff @(posedge clk) begin
    if (rst) max_count_q <= '0;
    else if (count_d > max_count_q) max_count_q <= count_d;
  end
`endif
endmodule

`default_nettype wire
