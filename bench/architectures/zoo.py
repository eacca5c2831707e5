"""The table of architectures: one row each. Weights are random (nothing is downloaded), inputs as small as each allows."""
import dataclasses
import typing

import timm
import torch
import torchvision.models as tv
import transformers as hf

import nets


@dataclasses.dataclass
class Row:
    name: str
    source: str
    build: typing.Callable
    inputs: typing.Callable  # of the batch size: {name: tensor}
    batched: bool = True     # the batch is free; otherwise the model takes one sample


def images(size, channels=3):
    return lambda batch: {"image": torch.randn(batch, channels, size, size)}


def tokens(length, words, mask=True):
    def make(batch):
        ids = {"input_ids": torch.randint(0, words, (batch, length))}
        if mask:
            ids["attention_mask"] = (torch.arange(length)[None] < torch.randint(2, length + 1, (batch, 1))).long()
        return ids
    return make


def torchvision(name, builder, size=64, **options):
    inputs = images(options.get("image_size", size))
    return Row(name, "torchvision", lambda: builder(weights=None, num_classes=16, **options), inputs)


def from_timm(name, model, size=64, **options):
    return Row(name, "timm", lambda: timm.create_model(model, pretrained=False, num_classes=16, **options), images(size))


def vgg():
    model = tv.vgg11_bn(weights=None, num_classes=16)
    model.classifier = torch.nn.Sequential(torch.nn.Linear(512 * 49, 256), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(256, 16))
    return model


def segmentation(builder):
    return lambda: nets.Output(builder(weights=None, weights_backbone=None, num_classes=5), "out")


SMALL = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 192, "vocab_size": 500}


def bert():
    return nets.Text(hf.BertForSequenceClassification(hf.BertConfig(**SMALL, num_labels=5)))


def distilbert():
    return nets.Text(hf.DistilBertForSequenceClassification(
        hf.DistilBertConfig(dim=96, n_layers=3, n_heads=4, hidden_dim=192, vocab_size=500, num_labels=5)))


def roberta():
    return nets.Text(hf.RobertaForTokenClassification(hf.RobertaConfig(**SMALL, num_labels=7, pad_token_id=1)))


def gpt2():
    return nets.Text(hf.GPT2LMHeadModel(hf.GPT2Config(n_embd=96, n_layer=3, n_head=4, vocab_size=500, n_positions=64)), use_cache=False)


def llama():
    return nets.Text(hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, num_key_value_heads=2, max_position_embeddings=64)), use_cache=False)


def t5():
    return nets.Text(hf.T5EncoderModel(hf.T5Config(d_model=96, d_ff=192, num_layers=3, num_heads=4, d_kv=24, vocab_size=500)))


def whisper():
    config = hf.WhisperConfig(d_model=96, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=192, num_mel_bins=40,
                              max_source_positions=50, vocab_size=500, decoder_layers=1, decoder_attention_heads=4, pad_token_id=0,
                              bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    return nets.Encoder(hf.WhisperModel(config).encoder)


def segformer():
    config = hf.SegformerConfig(hidden_sizes=[16, 32, 48, 64], decoder_hidden_size=32, depths=[1, 1, 1, 1], num_labels=5)
    return nets.Encoder(hf.SegformerForSemanticSegmentation(config))


def ssdlite():
    return nets.Detections(tv.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4))


def fcos():
    return nets.Detections(tv.detection.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=4, min_size=96, max_size=128))


ROWS = [
    torchvision("ResNet-18", tv.resnet18),
    torchvision("ResNet-50", tv.resnet50),
    torchvision("ResNeXt-50 32x4d", tv.resnext50_32x4d),
    torchvision("RegNet-Y 400MF", tv.regnet_y_400mf),
    Row("VGG-11-BN (narrow head)", "torchvision", vgg, images(224)),
    torchvision("VGG-16-BN", tv.vgg16_bn, size=224),
    torchvision("DenseNet-121", tv.densenet121),
    torchvision("Inception v3", tv.inception_v3, size=139, aux_logits=False, init_weights=True),
    torchvision("GoogLeNet", tv.googlenet, aux_logits=False, init_weights=True),
    torchvision("SqueezeNet 1.1", tv.squeezenet1_1),
    torchvision("MNASNet 0.5", tv.mnasnet0_5),
    torchvision("MobileNetV2", tv.mobilenet_v2),
    torchvision("MobileNetV3-small", tv.mobilenet_v3_small),
    from_timm("EfficientNet-lite0", "efficientnet_lite0"),
    from_timm("MobileNetV4-conv-small", "mobilenetv4_conv_small"),
    torchvision("EfficientNet-B0", tv.efficientnet_b0),
    torchvision("EfficientNetV2-S", tv.efficientnet_v2_s),
    torchvision("ShuffleNetV2 x0.5", tv.shufflenet_v2_x0_5),
    from_timm("GhostNet", "ghostnet_100"),
    from_timm("RepVGG-A0", "repvgg_a0"),
    from_timm("ConvNeXt-atto", "convnext_atto"),
    from_timm("PoolFormer-S12", "poolformer_s12"),
    from_timm("ViT-tiny/16", "vit_tiny_patch16_224", img_size=64),
    torchvision("ViT-B/16", tv.vit_b_16, image_size=64),
    torchvision("Swin-T", tv.swin_t),
    from_timm("MobileViT-XXS", "mobilevit_xxs"),
    from_timm("MLP-Mixer-S/32", "mixer_s32_224", img_size=64),
    from_timm("CoAtNet-pico", "coatnet_pico_rw_224", img_size=64),
    Row("DeepLabV3 MobileNetV3", "torchvision", segmentation(tv.segmentation.deeplabv3_mobilenet_v3_large), images(64)),
    Row("FCN ResNet-50", "torchvision", segmentation(tv.segmentation.fcn_resnet50), images(64)),
    Row("U-Net", "own", nets.UNet, images(64)),
    Row("SegFormer", "transformers", segformer, images(64)),
    Row("SSDLite MobileNetV3", "torchvision", ssdlite, images(96), batched=False),
    Row("FCOS ResNet-50", "torchvision", fcos, images(96), batched=False),
    Row("YOLOv8-n", "own", nets.YoloV8, images(96)),
    Row("ESRGAN", "own", nets.ESRGAN, images(24)),
    Row("ESPCN", "own", nets.PixelShuffleSR, images(24)),
    Row("BERT", "transformers", bert, tokens(24, 500)),
    Row("DistilBERT", "transformers", distilbert, tokens(24, 500)),
    Row("RoBERTa (tokens)", "transformers", roberta, tokens(24, 500)),
    Row("GPT-2", "transformers", gpt2, tokens(24, 500)),
    Row("Llama", "transformers", llama, tokens(24, 500)),
    Row("T5 encoder", "transformers", t5, tokens(24, 500)),
    Row("Whisper encoder", "transformers", whisper, lambda batch: {"input_features": torch.randn(batch, 40, 100)}),
    Row("LSTM classifier", "own", nets.Classifier, tokens(24, 500, mask=False)),
    Row("LSTM tagger", "own", nets.Tagger, tokens(24, 500, mask=False)),
    Row("GRU tagger", "own", lambda: nets.Tagger(torch.nn.GRU), tokens(24, 500, mask=False)),
]
