// Plays a file of hexadecimal beats into an AXI-Stream, with random pauses. Bench only.
//
// The file is read from its beginning after every reset. A pause begins with probability stop/256
// a cycle and ends with probability go/256. Between beats tdata carries noise, so that a unit that
// looks at data without valid is found out.
`default_nettype none

module bench_source #(
  parameter int    W = 8,
  parameter int    INDEX = 0,     // makes the random sequences of several sources differ
  parameter        FILE = ""      // relative to the folder that the simulation runs in
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [31:0]  seed,
  input  wire logic [8:0]   stop,
  input  wire logic [8:0]   go,
  input  wire logic [63:0]  cycle,
  output logic [W-1:0]      m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire logic         m_axis_tready,
  output logic [31:0]       count,   // beats taken since reset
  output logic [63:0]       first    // cycle in which beat 0 was taken
);
  integer fd = 0;
  logic [W-1:0] word;
  logic [31:0]  random;
  logic         paused;
  logic         free;

  always @(posedge clk) begin
    if (rst) begin
      if (fd != 0) $fclose(fd);
      fd = 0;
      m_axis_tvalid <= 1'b0;
      count <= 32'd0;
      first <= 64'd0;
      paused = 1'b0;
      random = seed ^ (32'h9e37_79b9 * (INDEX + 1));
      if (random == 32'd0) random = 32'd1;
    end else begin
      if (fd == 0) begin
        fd = $fopen(FILE, "r");
        if (fd == 0) $fatal(1, "bench: cannot read %s", FILE);
      end
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
      paused = paused ? {1'b0, random[7:0]} >= go : {1'b0, random[7:0]} < stop;
      free = !m_axis_tvalid || m_axis_tready;
      if (m_axis_tvalid && m_axis_tready) begin
        count <= count + 32'd1;
        if (count == 32'd0) first <= cycle;
      end
      if (free) begin
        m_axis_tvalid <= 1'b0;
        m_axis_tdata <= {(W + 31) / 32{random}}[W-1:0];
        if (!paused && $fscanf(fd, "%h", word) == 1) begin
          m_axis_tvalid <= 1'b1;
          m_axis_tdata <= word;
        end
      end
    end
  end
endmodule

`default_nettype wire
