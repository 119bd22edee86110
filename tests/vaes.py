"""Of every class in the catalog a small VAE, with as many steps of halving as the catalog's rows have."""

DOWN, UP = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
DEEP = (*("ResBlock",) * 5, "EfficientViTBlock")
SMALL = {
    "AutoencoderKL": {
        **{"down_block_types": DOWN, "up_block_types": UP},
        **{"block_out_channels": (8,) * 4, "norm_num_groups": 4},
    },
    "AutoencoderTiny": {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4},
    "AutoencoderDC": {
        **{"in_channels": 3, "latent_channels": 32, "attention_head_dim": 8},
        **{"encoder_block_types": DEEP, "decoder_block_types": DEEP},
        **{"encoder_block_out_channels": (8,) * 5 + (32,), "decoder_block_out_channels": (8,) * 5 + (32,)},
        **{"encoder_layers_per_block": (1,) * 6, "decoder_layers_per_block": (1,) * 6},
        **{"upsample_block_type": "interpolate", "downsample_block_type": "Conv"},
    },
    "VQModel": {
        **{"down_block_types": DOWN, "up_block_types": UP, "block_out_channels": (32,) * 4},
        **{"latent_channels": 4, "num_vq_embeddings": 16, "norm_type": "spatial"},
    },
    "AutoencoderKLQwenImage": {"base_dim": 8, "num_res_blocks": 1},
    "AutoencoderKLFlux2": {"block_out_channels": (8,) * 4, "norm_num_groups": 4, "layers_per_block": 1},
}
