"""Real-format AudioCraft checkpoints with tiny random weights, as `audiocraft.utils.export` writes them.

Each folder holds ``state_dict.bin``, ``compression_state_dict.bin`` and, where its text conditioner is a T5, that
T5 as transformers saves it. Everything that reads published weights reads these.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from pipeline.generators.audiocraft.import_shims import import_audiocraft

import_audiocraft()

import sentencepiece
import torch
from audiocraft.models import builders
from omegaconf import OmegaConf
from transformers import EncodecConfig, HubertConfig, HubertModel, T5Config, T5EncoderModel, T5Tokenizer
from transformers import EncodecModel as HFEncodecModel

from pipeline.generators import pickles
from pipeline.generators.audiocraft import style

CARD = 64
FRAME_RATE = 50
KINDS = (
    "music",
    "music-stereo",
    "music-melody",
    "music-style",
    "music-lut",
    "music-hf-codec",
    "sfx",
    "magnet",
    "audio-magnet",
)
CROSSED = "music-style-crossed"
"""A style model whose text comes in by cross-attention; none is published."""

_CORPUS = (
    "calm woodland exploration with nylon guitar and airy flute",
    "a single footstep on gravel, close, dry",
    "heavy drums and brass, battle theme, fast and tense",
    "wooden door creaks open slowly in a stone hall",
)

_LM = """
solver: {solver}
sample_rate: {rate}
channels: {channels}
compression_model_checkpoint: //pretrained/none
compression_model_n_q: null
autocast: true
autocast_dtype: float16
interleave_stereo_codebooks: {{use: {stereo}, per_timestep: false}}
lm_model: {lm_model}
dataset: {{segment_duration: {window}, batch_size: 8}}
masking: {{span_len: 3}}
codebooks_pattern:
  modeling: {pattern}
  delay: {{delays: {delays}, flatten_first: 0, empty_initial: 0}}
  parallel: {{}}
transformer_lm:
  dim: {dim}
  num_heads: {heads}
  num_layers: {layers}
  hidden_scale: 2
  n_q: {n_q}
  card: {card}
  dropout: 0.0
  emb_lr: null
  activation: gelu
  norm_first: true
  bias_ff: false
  bias_attn: false
  bias_proj: false
  past_context: null
  causal: {causal}
  custom: false
  memory_efficient: true
  attention_as_float32: false
  layer_scale: null
  positional_embedding: sin
  xpos: false
  checkpointing: none
  weight_init: gaussian
  depthwise_init: current
  zero_bias_init: true
  norm: layer_norm
  cross_attention: false
  qk_layer_norm: false
  qk_layer_norm_cross: false
  attention_dropout: null
  kv_repeat: 1
  two_step_cfg: false{extra}
classifier_free_guidance: {{training_dropout: 0.3, inference_coef: 3.0}}
attribute_dropout: {{args: {{active_on_eval: false}}}}
fuser:
  cross_attention_pos_emb: false
  cross_attention_pos_emb_scale: 1
  sum: []
  prepend: {prepend}
  cross: {cross}
  input_interpolate: []
conditioners:
  args: {{merge_text_conditions_p: 0.25, drop_desc_p: 0.5}}
  description:
{text}{melody}
"""
_T5 = """    model: t5
    t5: {name: t5-small, finetune: false, word_dropout: 0.3, normalize_text: false}
"""
_LUT = """    model: lut
    lut: {n_bins: 128, dim: 16, tokenizer: noop}
"""
_MELODY = """  self_wav:
    model: chroma_stem
    chroma_stem: {sample_rate: "${sample_rate}", n_chroma: 12, radix2_exp: 10, argmax: true,
      match_len_on_eval: false, eval_wavs: null, n_eval_wavs: 100, cache_path: /nowhere/to/be/found}
"""
_STYLE = """  self_wav:
    model: style
    style: {model_name: mert, transformer_scale: xsmall, sample_rate: "${sample_rate}", encodec_n_q: 3,
      encodec_checkpoint: //pretrained/facebook/encodec_32khz, length: 3.0, ds_factor: 15, n_q_out: 6, eval_q: 3,
      q_dropout: true, bins: 16, varying_lengths: [1.5, 4.5], batch_norm: true, compute_mask: true,
      num_codebooks_lm: "${transformer_lm.n_q}", ds_rate_compression: 640, use_middle_of_segment: false,
      rvq_threshold_ema_dead_code: 0.1}
"""
_CODEC = """
solver: compression
sample_rate: {rate}
channels: 1
compression_model: encodec
encodec:
  {{autoencoder: seanet, quantizer: rvq, sample_rate: "${{sample_rate}}", channels: "${{channels}}", causal: false,
    renormalize: false}}
seanet:
  dimension: 16
  channels: ${{channels}}
  causal: ${{encodec.causal}}
  n_filters: 2
  n_residual_layers: 1
  ratios: {ratios}
  activation: ELU
  activation_params: {{alpha: 1.0}}
  norm: weight_norm
  norm_params: {{}}
  kernel_size: 7
  residual_kernel_size: 3
  last_kernel_size: 7
  dilation_base: 2
  pad_mode: constant
  true_skip: true
  compress: 2
  lstm: 1
  disable_norm_outer_blocks: 0
  decoder: {{trim_right_ratio: 1.0, final_activation: null, final_activation_params: null}}
  encoder: {{}}
rvq: {{n_q: 4, q_dropout: false, bins: {card}, decay: 0.99, kmeans_init: false, kmeans_iters: 2,
  threshold_ema_dead_code: 2, orthogonal_reg_weight: 0.0, orthogonal_reg_active_codes_only: false}}
"""


def write_checkpoint(
    folder: Path, kind: str, *, seed: int = 0, window_s: int = 2, width: tuple[int, int, int] = (32, 2, 2)
) -> Path:
    """Write the checkpoint of ``kind`` (one of `KINDS`, or `CROSSED`) to ``folder``; returns it.

    ``width``: dim, heads, layers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = _lm_config(kind, window_s, width)
    with tempfile.TemporaryDirectory() as home:
        uses_t5 = "t5" in text
        if uses_t5:
            _write_t5(folder / "t5-small")
        if kind in ("music-style", CROSSED):
            write_mert(folder / "MERT-v1-95M")
        # After the helpers, which have seeds of their own and may be at hand already.
        torch.manual_seed(seed)
        model = _build_lm(text, folder, Path(home))
    _enliven(model)
    _save(folder / "state_dict.bin", model.state_dict(), text)
    rate = 16_000 if kind in ("sfx", "audio-magnet") else 32_000
    if kind == "music-hf-codec":
        torch.save({"pretrained": "facebook/encodec_32khz"}, folder / "compression_state_dict.bin")
        _write_hf_codec(folder / "encodec_32khz")
    else:
        ratios = "[8, 5, 4, 4]" if rate == 32_000 else "[8, 5, 4, 2]"
        codec_text = _CODEC.format(rate=rate, ratios=ratios, card=CARD)
        cfg = OmegaConf.create(codec_text)
        cfg.device = "cpu"
        codec = builders.get_compression_model(cfg)
        _enliven(codec)
        _save(folder / "compression_state_dict.bin", codec.state_dict(), codec_text)
    return folder


def _lm_config(kind: str, window_s: int, width: tuple[int, int, int]) -> str:
    magnet, stereo = "magnet" in kind, kind == "music-stereo"
    prefix = {"music-melody": _MELODY, "music-style": _STYLE, CROSSED: _STYLE}.get(kind, "")
    sfx = kind in ("sfx", "audio-magnet")
    n_q = 8 if stereo else 4
    solver = {"sfx": "audiogen", "magnet": "magnet", "audio-magnet": "audio_magnet"}.get(kind, "musicgen")
    return _LM.format(
        solver=solver,
        rate=16_000 if sfx else 32_000,
        channels=2 if stereo else 1,
        stereo="true" if stereo else "false",
        lm_model="transformer_lm_magnet" if magnet else "transformer_lm",
        window=window_s,
        pattern="parallel" if magnet else "delay",
        delays=[0, 0, 1, 1, 2, 2, 3, 3] if stereo else [0, 1, 2, 3],
        n_q=n_q,
        dim=width[0],
        heads=width[1],
        layers=width[2],
        card=CARD,
        causal="false" if magnet else "true",
        extra="\n  subcodes_context: 5" if magnet else "",
        prepend="[]" if not prefix else "[self_wav]" if kind == CROSSED else "[self_wav, description]",
        cross="[]" if prefix and kind != CROSSED else "[description]",
        text=_LUT if kind == "music-lut" else _T5,
        melody=prefix,
    )


def _build_lm(text: str, folder: Path, home: Path) -> Any:
    cfg = OmegaConf.create(text)
    cfg.device, cfg.dtype = "cpu", "float32"
    if "chroma_stem" in cfg.conditioners.get("self_wav", {}):
        cfg.conditioners.self_wav.chroma_stem.cache_path = None
    if "magnet" in cfg.lm_model:
        cfg.transformer_lm.compression_model_framerate = FRAME_RATE
        cfg.transformer_lm.segment_duration = cfg.dataset.segment_duration
        cfg.transformer_lm.span_len = cfg.masking.span_len
    from audiocraft.modules import conditioners

    real = conditioners.T5Tokenizer, conditioners.T5EncoderModel
    try:
        for name, kind in zip(("T5Tokenizer", "T5EncoderModel"), real, strict=True):
            setattr(conditioners, name, _Local(kind, folder))
        with style.style_support(lambda _: _as_stored(folder / "MERT-v1-95M", home)):
            return _lived_in(builders.get_lm_model(cfg).eval())
    finally:
        conditioners.T5Tokenizer, conditioners.T5EncoderModel = real


def _as_stored(folder: Path, home: Path) -> Path:
    """The helper as the model store has it."""
    shutil.copy(folder / "config.json", home)
    pickles.add_safetensors(folder, home)
    return home


def _lived_in(model: Any) -> Any:
    """A style conditioner's buffers, which training fills, with something in them."""
    for name, value in model.state_dict().items():
        if name.endswith("_codebook.inited"):
            value.fill_(1.0)
        elif name.endswith("_codebook.embed"):
            value.normal_()
        elif name.endswith("running_mean"):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
    return model


def write_mert(folder: Path) -> Path:
    """A tiny MERT as its makers publish it: their keys in ``config.json``, a torch file, weight norm's old names."""
    folder.mkdir(parents=True, exist_ok=True)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "conv_dim": [16] * 7,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
        "feat_extract_norm": "group",
        "do_stable_layer_norm": False,
    }
    own = {
        "architectures": ["MERTModel"],
        "model_type": "mert_model",
        "attention_relax": -1.0,
        "deepnorm": False,
        "feature_extractor_cqt": False,
        "feature_extractor_cqt_bins": 336,
        "feat_proj_layer_norm": True,
        "sample_rate": 24_000,
    }
    (folder / "config.json").write_text(json.dumps(shape | own))
    torch.manual_seed(11)
    state = HubertModel(HubertConfig(**shape)).state_dict()
    old = {"original0": "weight_g", "original1": "weight_v"}
    named = {
        key
        if "parametrizations" not in key
        else f"{key.partition('.parametrizations')[0]}.{old[key[-9:]]}": value
        for key, value in state.items()
    }
    torch.save(named, folder / "pytorch_model.bin")
    return folder


class _Local:
    def __init__(self, kind: Any, folder: Path) -> None:
        self._kind, self._folder = kind, folder

    def from_pretrained(self, name: str) -> Any:
        return self._kind.from_pretrained(self._folder / name, local_files_only=True)


def _enliven(model: Any) -> None:
    """Spread the weights, so that tokens differ from step to step and the audio is not silent."""
    for name, value in model.state_dict().items():
        if value.is_floating_point() and "norm" not in name.rpartition(".")[0].rpartition(".")[2]:
            if name.startswith("linears."):
                value.mul_(6.0)
            elif "_codebook.embed" in name or "codebook.embed" in name:
                value.normal_()


def _save(path: Path, state: dict[str, Any], config: str) -> None:
    torch.save({"best_state": state, "xp.cfg": config, "version": "1.3.0", "exported": True}, path)


@functools.cache
def _t5_files() -> dict[str, bytes]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_CORPUS * 3),
        model_writer=model,
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        (folder / "spiece.model").write_bytes(model.getvalue())
        tokenizer = T5Tokenizer.from_pretrained(folder, extra_ids=0)
        tokenizer.save_pretrained(folder)
        config = T5Config(
            vocab_size=len(tokenizer) + 8, d_model=512, d_kv=8, d_ff=16, num_layers=1, num_heads=2
        )
        torch.manual_seed(7)
        T5EncoderModel(config).save_pretrained(folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _write_t5(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, data in _t5_files().items():
        (folder / name).write_bytes(data)


def _write_hf_codec(folder: Path) -> None:
    config = EncodecConfig(
        sampling_rate=32_000,
        num_filters=2,
        hidden_size=16,
        codebook_size=CARD,
        upsampling_ratios=[8, 5, 4, 4],
        num_lstm_layers=1,
        target_bandwidths=[1.2],
        use_causal_conv=False,
    )
    model = HFEncodecModel(config)
    _enliven(model)
    model.save_pretrained(folder)


def copy_checkpoint(source: Path, target: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(source, target)
    return target
