"""A Flux pipeline of a few thousand random weights with the letters as its vocabulary, as a diffusers folder."""

import string

LETTERS = string.ascii_lowercase + string.digits
OUTSIDE = "unknowable"
"""A word that the tokenizer knows, but the text encoder has no embedding for."""


def clip_tokenizer():
    from transformers import CLIPTokenizer

    vocabulary = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(vocabulary)},
        merges=[],
        bos_token=vocabulary[0],
        eos_token=vocabulary[1],
        unk_token=vocabulary[1],
        pad_token=vocabulary[1],
        model_max_length=16,
    )


def text_encoder(tokenizer):
    from transformers import CLIPTextConfig, CLIPTextModel

    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    places = {"max_position_embeddings": 16, "projection_dim": 16}
    return CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), **size, **places, **ids))


def second_text_encoder(tokenizer):
    from transformers import T5Config, T5EncoderModel

    size = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return T5EncoderModel(T5Config(vocab_size=len(tokenizer), **size))


def second_tokenizer():
    from transformers import T5TokenizerFast

    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((letter, -2.0) for letter in LETTERS)]
    return T5TokenizerFast(vocab=words, extra_ids=0)


def transformer():
    from diffusers import FluxTransformer2DModel

    size = {"in_channels": 4, "num_layers": 1, "num_single_layers": 1, "num_attention_heads": 2}
    widths = {"attention_head_dim": 16, "joint_attention_dim": 16, "pooled_projection_dim": 16}
    return FluxTransformer2DModel(patch_size=1, axes_dims_rope=(4, 4, 8), guidance_embeds=True, **size, **widths)


def vae():
    from diffusers import AutoencoderKL

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    scale = {"scaling_factor": 0.3, "shift_factor": 0.1, "use_quant_conv": False, "use_post_quant_conv": False}
    return AutoencoderKL(
        block_out_channels=(8, 8), layers_per_block=1, latent_channels=1, norm_num_groups=4, **blocks, **scale
    )


def write(folder, seed=0):
    """Write the pipeline; its row of the catalog."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

    torch.manual_seed(seed)
    first, second = clip_tokenizer(), second_tokenizer()
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(),
        text_encoder=text_encoder(first),
        tokenizer=first,
        text_encoder_2=second_text_encoder(second),
        tokenizer_2=second,
        transformer=transformer(),
    )
    first.add_tokens([OUTSIDE])  # after its text encoder was made
    pipeline.save_pretrained(folder, safe_serialization=True)
    return {
        "class": "FluxPipeline",
        "path": str(folder),
        "steps": 2,
        "guidance": 3.5,
        "size": [32, 32],
        "options": {"max_sequence_length": 16},
        "precision": "float32",
        "licence": "none",
    }
