// Takes the beats of an AXI-Stream with random pauses and writes them to a file, one a line: the
// beat in hexadecimal, the cycle in which it was taken. Bench only.
//
// The file is written anew after every reset and is whole once rst has been high for a cycle.
// With `wait_valid` the sink raises ready only in answer to a valid that it has seen, so that a unit
// which waits for ready before it offers a beat hangs instead of passing.
`default_nettype none

module bench_sink #(
  parameter int    W = 8,
  parameter int    INDEX = 0,
  parameter        FILE = ""
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [31:0]  seed,
  input  wire logic [8:0]   stop,
  input  wire logic [8:0]   go,
  input  wire logic         wait_valid,
  input  wire logic [63:0]  cycle,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [31:0]       count
);
  integer fd = 0;
  logic [31:0] random;
  logic        paused;

  always @(posedge clk) begin
    if (rst) begin
      if (fd != 0) $fclose(fd);
      fd = 0;
      s_axis_tready <= 1'b0;
      count <= 32'd0;
      paused = 1'b0;
      random = seed ^ (32'h85eb_ca6b * (INDEX + 1));
      if (random == 32'd0) random = 32'd1;
    end else begin
      if (fd == 0) begin
        fd = $fopen(FILE, "w");
        if (fd == 0) $fatal(1, "bench: cannot write %s", FILE);
      end
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
      paused = paused ? {1'b0, random[7:0]} >= go : {1'b0, random[7:0]} < stop;
      if (s_axis_tvalid && s_axis_tready) begin
        count <= count + 32'd1;
        $fwrite(fd, "%h %0d\n", s_axis_tdata, cycle);
      end
      s_axis_tready <= !paused && (!wait_valid || (s_axis_tvalid && !s_axis_tready));
    end
  end
endmodule

`default_nettype wire
