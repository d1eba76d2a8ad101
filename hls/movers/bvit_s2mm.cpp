// The accelerator's logits to the card's memory, one word a class.
//
// II = 1. Takes `frames` times `classes` words and writes them one behind the other. The accelerator sends whole frames
// only, so words are counted and TLAST is not looked at.
#include "bvit_movers.hpp"

extern "C" void bvit_s2mm(hls::stream<bvit::logit_beat_t>& logits, bvit::logit_t* results, unsigned int frames,
                          unsigned int classes) {
#pragma HLS INTERFACE axis port=logits
#pragma HLS INTERFACE m_axi port=results offset=slave bundle=gmem max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=results bundle=control
#pragma HLS INTERFACE s_axilite port=frames bundle=control
#pragma HLS INTERFACE s_axilite port=classes bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  const std::uint64_t total = static_cast<std::uint64_t>(frames) * classes;
  for (std::uint64_t i = 0; i < total; ++i) {
#pragma HLS PIPELINE II=1
    const bvit::logit_beat_t beat = logits.read();
    results[i] = beat.data;
  }
}
