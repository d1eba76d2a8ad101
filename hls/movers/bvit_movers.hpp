// What both data movers share: words and stream beats at the accelerator's border.
//
// BVIT_INPUT_BITS is the width of the pixels' stream, as the generated accelerator has it (build_alveo.sh passes it).
#ifndef BVIT_MOVERS_HPP
#define BVIT_MOVERS_HPP

#include <cstdint>

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#ifndef BVIT_INPUT_BITS
#define BVIT_INPUT_BITS 64
#endif

namespace bvit {

static_assert(BVIT_INPUT_BITS >= 8 && BVIT_INPUT_BITS % 8 == 0, "pixels are whole bytes");

constexpr int kInputBits = BVIT_INPUT_BITS;
constexpr int kLogitBits = 32;

using pixels_t = ap_uint<kInputBits>;
using pixel_beat_t = ap_axiu<kInputBits, 0, 0, 0>;
using logit_t = ap_uint<kLogitBits>;  // the bits of a signed word
using logit_beat_t = ap_axiu<kLogitBits, 0, 0, 0>;

}  // namespace bvit

#endif
