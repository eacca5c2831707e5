"""Networks that torchvision, timm and transformers do not have, written as their papers and best-known code have them."""
import torch
from torch import nn
from torch.nn import functional as F


class DoubleConv(nn.Sequential):
    def __init__(self, c_in, c_out):
        layers = []
        for c in (c_in, c_out):
            layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
        super().__init__(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padding and BatchNorm; transposed convolutions upwards."""

    def __init__(self, width=16, depth=4, classes=3):
        super().__init__()
        sizes = [width << i for i in range(depth + 1)]
        self.down = nn.ModuleList(DoubleConv(a, b) for a, b in zip([3] + sizes[:-1], sizes))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in zip(sizes[:-1], sizes[1:]))
        self.merge = nn.ModuleList(DoubleConv(2 * a, a) for a in sizes[:-1])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for i in reversed(range(len(self.up))):
            x = self.merge[i](torch.cat([skips[i], self.up[i](x)], 1))
        return self.head(x)


class ConvSiLU(nn.Sequential):
    def __init__(self, c_in, c_out, k=1, s=1):
        super().__init__(nn.Conv2d(c_in, c_out, k, s, k // 2, bias=False), nn.BatchNorm2d(c_out, eps=1e-3), nn.SiLU())


class C2f(nn.Module):
    """Cross-stage partial block of YOLOv8: every bottleneck's output is kept and concatenated."""

    def __init__(self, c_in, c_out, n, shortcut):
        super().__init__()
        self.half, self.shortcut = c_out // 2, shortcut
        self.enter, self.leave = ConvSiLU(c_in, c_out), ConvSiLU((2 + n) * self.half, c_out)
        self.blocks = nn.ModuleList(nn.Sequential(ConvSiLU(self.half, self.half, 3), ConvSiLU(self.half, self.half, 3)) for _ in range(n))

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        for block in self.blocks:
            y = block(parts[-1])
            parts.append(parts[-1] + y if self.shortcut else y)
        return self.leave(torch.cat(parts, 1))


class SPPF(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.enter, self.leave = ConvSiLU(c, c // 2), ConvSiLU(2 * c, c)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.leave(torch.cat(parts, 1))


class YoloHead(nn.Module):
    """Anchor-free head: class scores, and box sides as the mean of a distribution over 16 bins (Li et al. 2020)."""

    def __init__(self, channels, classes, bins=16):
        super().__init__()
        self.bins, self.classes = bins, classes
        hidden = max(channels[0], 4 * bins)
        branch = lambda c, out: nn.Sequential(ConvSiLU(c, hidden, 3), ConvSiLU(hidden, hidden, 3), nn.Conv2d(hidden, out, 1))
        self.boxes = nn.ModuleList(branch(c, 4 * bins) for c in channels)
        self.scores = nn.ModuleList(branch(c, classes) for c in channels)
        self.register_buffer("bin_values", torch.arange(bins, dtype=torch.float32).view(1, bins, 1, 1))

    def forward(self, maps):
        boxes, scores, centers, strides = [], [], [], []
        for i, x in enumerate(maps):
            n, _, h, w = x.shape
            boxes.append(self.boxes[i](x).reshape(n, 4 * self.bins, h * w))
            scores.append(self.scores[i](x).reshape(n, self.classes, h * w))
            rows, columns = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            centers.append(torch.stack([columns, rows]).reshape(2, h * w))
            strides.append(torch.full((1, h * w), float(8 << i)))
        sides = torch.cat(boxes, 2)
        sides = sides.reshape(sides.shape[0], 4, self.bins, sides.shape[2]).transpose(1, 2).softmax(1)
        sides = (sides * self.bin_values).sum(1)
        center, stride = torch.cat(centers, 1), torch.cat(strides, 1)
        low, high = center - sides[:, :2], center + sides[:, 2:]
        return torch.cat([(low + high) / 2 * stride, (high - low) * stride, torch.cat(scores, 2).sigmoid()], 1)


class YoloV8(nn.Module):
    """YOLOv8-n's graph: C2f backbone, SPPF, feature pyramid up and down, decoupled head at strides 8, 16, 32."""

    def __init__(self, width=16, classes=8):
        super().__init__()
        c1, c2, c3, c4, c5 = (width << i for i in range(5))
        self.stem = nn.Sequential(ConvSiLU(3, c1, 3, 2), ConvSiLU(c1, c2, 3, 2), C2f(c2, c2, 1, True))
        self.stage3 = nn.Sequential(ConvSiLU(c2, c3, 3, 2), C2f(c3, c3, 2, True))
        self.stage4 = nn.Sequential(ConvSiLU(c3, c4, 3, 2), C2f(c4, c4, 2, True))
        self.stage5 = nn.Sequential(ConvSiLU(c4, c5, 3, 2), C2f(c5, c5, 1, True), SPPF(c5))
        self.up4, self.up3 = C2f(c5 + c4, c4, 1, False), C2f(c4 + c3, c3, 1, False)
        self.down4, self.down5 = ConvSiLU(c3, c3, 3, 2), ConvSiLU(c4, c4, 3, 2)
        self.out4, self.out5 = C2f(c3 + c4, c4, 1, False), C2f(c4 + c5, c5, 1, False)
        self.head = YoloHead((c3, c4, c5), classes)

    def forward(self, x):
        p3 = self.stage3(self.stem(x))
        p4 = self.stage4(p3)
        p5 = self.stage5(p4)
        up = lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest")
        n4 = self.up4(torch.cat([up(p5), p4], 1))
        n3 = self.up3(torch.cat([up(n4), p3], 1))
        n4 = self.out4(torch.cat([self.down4(n3), n4], 1))
        n5 = self.out5(torch.cat([self.down5(n4), p5], 1))
        return self.head([n3, n4, n5])


class DenseBlock(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        outs = [growth] * 4 + [channels]
        self.layers = nn.ModuleList(nn.Conv2d(channels + i * growth, out, 3, padding=1) for i, out in enumerate(outs))

    def forward(self, x):
        parts = [x]
        for layer in self.layers[:-1]:
            parts.append(F.leaky_relu(layer(torch.cat(parts, 1)), 0.2))
        return x + 0.2 * self.layers[-1](torch.cat(parts, 1))


class ESRGAN(nn.Module):
    """The generator of Wang et al. 2018: residual-in-residual dense blocks, two nearest-neighbour doublings."""

    def __init__(self, channels=32, growth=16, blocks=2):
        super().__init__()
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        self.first, self.trunk, self.last = conv(3, channels), conv(channels, channels), conv(channels, 3)
        self.body = nn.ModuleList(nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3))) for _ in range(blocks))
        self.up = nn.ModuleList(conv(channels, channels) for _ in range(2))
        self.high = conv(channels, channels)

    def forward(self, x):
        x = y = self.first(x)
        for block in self.body:
            y = y + 0.2 * block(y)
        x = x + self.trunk(y)
        for layer in self.up:
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2.0, mode="nearest")), 0.2)
        return self.last(F.leaky_relu(self.high(x), 0.2))


class PixelShuffleSR(nn.Module):
    """ESPCN (Shi et al. 2016): convolutions at low resolution, then depth to space."""

    def __init__(self, scale=3):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.Tanh(), nn.Conv2d(32, 16, 3, padding=1), nn.Tanh(),
                                  nn.Conv2d(16, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        return torch.clamp(self.body(x) + F.interpolate(x, scale_factor=3.0, mode="bicubic", align_corners=False), -4.0, 4.0)


class Tagger(nn.Module):
    """Embeddings, two bidirectional recurrent layers, a score for every tag of every token."""

    def __init__(self, cell=nn.LSTM, words=500, width=48, hidden=32, tags=9):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.recurrent = cell(width, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, input_ids):
        return self.head(self.recurrent(self.embedding(input_ids))[0])


class Classifier(nn.Module):
    """Embeddings, two LSTM layers, scores from the last step's state."""

    def __init__(self, words=500, width=48, hidden=64, classes=8):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.project = nn.Linear(width, width)
        self.recurrent = nn.LSTM(width, hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, input_ids):
        return self.head(self.recurrent(torch.tanh(self.project(self.embedding(input_ids))))[0][:, -1])


class Output(nn.Module):
    """One tensor of the dictionary that a model returns."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.name = model, name

    def forward(self, image):
        return self.model(image)[self.name]


class Text(nn.Module):
    """A transformers model by token ids and attention mask; the first output."""

    def __init__(self, model, mask=True, **fixed):
        super().__init__()
        self.model, self.mask, self.fixed = model, mask, fixed

    def forward(self, input_ids, attention_mask=None):
        if not self.mask:
            return self.model(input_ids, return_dict=False, **self.fixed)[0]
        return self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=False, **self.fixed)[0]


class Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_features):
        return self.model(input_features, return_dict=False)[0]


class Detections(nn.Module):
    """torchvision's detectors on one image: boxes, scores, labels of a number that depends on the image."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        found = self.model([image[0]])
        found = (found[1] if isinstance(found, tuple) else found)[0]
        return found["boxes"], found["scores"], found["labels"]
