// Images from the card's memory to the accelerator's pixel stream, one packet a frame.
//
// II = 1: one beat a cycle once the first burst has come. `frames` images of `beats` words each lie one behind the other
// in `images`; TLAST is set on the last word of each, every byte is kept. Nothing is done for 0 frames.
#include "bvit_movers.hpp"

extern "C" void bvit_mm2s(const bvit::pixels_t* images, hls::stream<bvit::pixel_beat_t>& pixels, unsigned int frames,
                          unsigned int beats) {
#pragma HLS INTERFACE m_axi port=images offset=slave bundle=gmem max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE axis port=pixels
#pragma HLS INTERFACE s_axilite port=images bundle=control
#pragma HLS INTERFACE s_axilite port=frames bundle=control
#pragma HLS INTERFACE s_axilite port=beats bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  const std::uint64_t total = static_cast<std::uint64_t>(frames) * beats;
  unsigned int in_frame = 0;
  for (std::uint64_t i = 0; i < total; ++i) {
#pragma HLS PIPELINE II=1
    const bool last = in_frame == beats - 1;
    bvit::pixel_beat_t beat;
    beat.data = images[i];
    beat.keep = -1;
    beat.strb = -1;
    beat.last = last;
    pixels.write(beat);
    in_frame = last ? 0 : in_frame + 1;
  }
}
