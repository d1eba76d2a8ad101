// The next value of a CRC-32 (IEEE 802.3, reflected) when a byte has gone by; without the inversions at
// its ends. Combinational.
`default_nettype none

module bvit_crc32 (
  input  wire logic [31:0] crc,
  input  wire logic [7:0]  data,
  output logic [31:0]      next
);
  always_comb begin
    next = crc ^ 32'(data);
    for (int i = 0; i < 8; i++) next = {1'b0, next[31:1]} ^ (next[0] ? 32'hEDB88320 : 32'd0);
  end
endmodule

`default_nettype wire
