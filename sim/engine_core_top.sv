// Carries out commands on bvit_engine_core, memories from and to files: see engine_bench.py.
module engine_core_top #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  parameter int BITS = 64,
  parameter int VALUES = 512,
  parameter int WEIGHTS = 64,
  parameter int PARAMS = 128,
  parameter int STEPS = 64,
  parameter int TAPS = 64,
  parameter int PORT = 64,
  parameter int ULTRA = 0
) (
  input wire logic clk /*verilator public_flat_rw*/,
  output logic finished /*verilator public_flat_rw*/
);
  logic [1023:0] commands[1024];
  logic [31:0] counts[2];
  logic [1023:0] command = '0;
  logic rst = 1'b1, start = 1'b0, done, idle, writes, waiting = 1'b0, ended = 1'b0, goes_on;
  logic [PORT-1:0] store_data;
  int number = 0, now = 0, began = 0, file, pause = 6;
  initial begin
    finished = 1'b0;
    $readmemh("commands.hex", commands);
    $readmemh("counts.hex", counts);
    file = $fopen("cycles.txt", "w");
  end
  bvit_engine_core #(
    .TOKENS(TOKENS), .ROWS(ROWS), .CHANNELS(CHANNELS), .BITS(BITS), .VALUES(VALUES), .WEIGHTS(WEIGHTS),
    .PARAMS(PARAMS), .STEPS(STEPS), .TAPS(TAPS), .PORT(PORT), .ULTRA(ULTRA)
  ) u_core (
    .clk, .rst, .command, .start, .done, .idle, .writes, .load_we(1'b0), .load_memory('0), .load_addr('0),
    .load_slice('0), .load_data('0), .store_addr('0), .store_slice('0), .store_data
  );
  always @(posedge clk) begin
    now <= now + 1;
    rst <= now < 2;
    start <= 1'b0;
    // Behind the reset: before it, registers with random contents may have written anything.
    if (now == 4) begin
      $readmemh("bits.hex", u_core.u_memories.u_bits.mem);
      $readmemh("values.hex", u_core.u_memories.u_values.mem);
      $readmemh("weights.hex", u_core.u_memories.u_weights.mem);
      $readmemh("params.hex", u_core.u_memories.gen_params[0].u_params.mem);
      $readmemh("params.hex", u_core.u_memories.gen_params[1].u_params.mem);
      $readmemh("params.hex", u_core.u_memories.gen_params[2].u_params.mem);
      $readmemh("params.hex", u_core.u_memories.gen_params[3].u_params.mem);
      $readmemh("steps.hex", u_core.u_memories.u_steps.mem);
      $readmemh("taps.hex", u_core.u_memories.u_taps.mem);
    end
    if (pause > 0) pause <= pause - 1;
    else if (!waiting && !ended && number < counts[0]) begin
      command <= commands[number];
      // The fields are there a cycle before the command begins, or with it.
      waiting <= 1'b1;
      began <= now;
    end
    if (waiting && now == began + 1) start <= 1'b1;
    // Now and then the next command begins at once; memories are written out where all lies there.
    if (waiting && done && now > began + 2) begin
      $fdisplay(file, "%0d", now - began);
      waiting <= 1'b0;
      number <= number + 1;
      goes_on = $urandom_range(1) == 1 && number + 1 < counts[0];
      if (goes_on) pause <= $urandom_range(2);
      ended <= !goes_on;
    end
    if (ended && idle) begin
      $writememh($sformatf("bits_%0d.hex", number - 1), u_core.u_memories.u_bits.mem);
      $writememh($sformatf("values_%0d.hex", number - 1), u_core.u_memories.u_values.mem);
      $writememh($sformatf("weights_%0d.hex", number - 1), u_core.u_memories.u_weights.mem);
      ended <= 1'b0;
      pause <= $urandom_range(2);
      if (number == counts[0]) begin
        $fclose(file);
        finished <= 1'b1;
      end
    end
  end
endmodule
