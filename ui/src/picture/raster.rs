//! Triangles on the processor: textures with bilinear filter, premultiplied alpha blended in gamma space, scissor. The
//! same arithmetic as egui's GL painter, so that a picture is the same on every machine and needs no graphics card.

use std::collections::HashMap;

use egui::{
    Color32, Context, ImageData, Rect, TextureId, TexturesDelta, Vec2, epaint::ClippedShape, epaint::Primitive, pos2,
    vec2,
};

/// Pixels, red green blue alpha, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub width: usize,
    pub height: usize,
    pub rgba: Vec<u8>,
}

/// The textures of a context, kept up to date by what each of its frames hands out.
#[derive(Default)]
pub struct Raster {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
    linear: bool,
}

impl Texture {
    fn at(&self, x: isize, y: isize) -> [f32; 4] {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.pixels[y * self.width + x].to_array().map(f32::from)
    }

    /// `u`, `v` in 0 to 1; values 0 to 255.
    fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let (x, y) = (u * self.width as f32, v * self.height as f32);
        if !self.linear {
            return self.at(x.floor() as isize, y.floor() as isize);
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let corners = [self.at(left, top), self.at(left + 1, top), self.at(left, top + 1), self.at(left + 1, top + 1)];
        std::array::from_fn(|c| {
            let upper = corners[0][c] + (corners[1][c] - corners[0][c]) * fx;
            let lower = corners[2][c] + (corners[3][c] - corners[2][c]) * fx;
            upper + (lower - upper) * fy
        })
    }
}

impl Raster {
    /// New and changed textures of a frame.
    pub fn take(&mut self, delta: &mut TexturesDelta) {
        #[expect(clippy::iter_over_hash_type, reason = "textures do not depend on one another")]
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let ImageData::Color(image) = &change.image;
                let [width, height] = image.size;
                let linear = change.options.magnification == egui::TextureFilter::Linear;
                match change.pos {
                    None => {
                        let pixels = image.pixels.clone();
                        self.textures.insert(id, Texture { width, height, pixels, linear });
                    }
                    Some([left, top]) => {
                        let Some(texture) = self.textures.get_mut(&id) else { continue };
                        for row in 0..height {
                            let to = (top + row) * texture.width + left;
                            texture.pixels[to..to + width]
                                .copy_from_slice(&image.pixels[row * width..(row + 1) * width]);
                        }
                    }
                }
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "textures do not depend on one another")]
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    /// What of `shapes` lies in `crop`, at `scale` pixels to a point.
    ///
    /// # Errors
    /// A shape of a texture that was never handed out.
    pub fn draw(&self, ctx: &Context, shapes: Vec<ClippedShape>, scale: f32, crop: Rect) -> Result<Image, String> {
        let size = crop.size() * scale;
        let (width, height) = (size.x.round().max(1.0) as usize, size.y.round().max(1.0) as usize);
        let origin = vec2((crop.min.x * scale).round(), (crop.min.y * scale).round());
        let mut target = vec![[0.0_f32, 0.0, 0.0, 255.0]; width * height];
        for primitive in ctx.tessellate(shapes, scale) {
            let Primitive::Mesh(mesh) = &primitive.primitive else { continue };
            let Some(texture) = self.textures.get(&mesh.texture_id) else {
                return Err(format!("texture {:?} was never set", mesh.texture_id));
            };
            let corner = |at: egui::Pos2| pos2((at.x * scale).round(), (at.y * scale).round()) - origin;
            let clip = Rect::from_min_max(corner(primitive.clip_rect.min), corner(primitive.clip_rect.max))
                .intersect(Rect::from_min_max(pos2(0.0, 0.0), pos2(width as f32, height as f32)));
            if !clip.is_positive() {
                continue;
            }
            for corners in mesh.indices.chunks_exact(3) {
                let corners = [corners[0], corners[1], corners[2]].map(|index| mesh.vertices[index as usize]);
                triangle(&mut target, width, clip, corners, (scale, origin), texture);
            }
        }
        let rgba = target.iter().flatten().map(|part| part.round().clamp(0.0, 255.0) as u8).collect();
        Ok(Image { width, height, rgba })
    }

    /// The part of a texture between two corners given as shares of its sides.
    pub fn part(&self, id: TextureId, uv: Rect) -> Option<Image> {
        let texture = self.textures.get(&id)?;
        let at = |share: f32, side: usize| ((share * side as f32).round().max(0.0) as usize).min(side);
        let (left, right) = (at(uv.min.x, texture.width), at(uv.max.x, texture.width));
        let (top, bottom) = (at(uv.min.y, texture.height), at(uv.max.y, texture.height));
        if right <= left || bottom <= top {
            return None;
        }
        let rows =
            (top..bottom).flat_map(|row| &texture.pixels[row * texture.width + left..row * texture.width + right]);
        let rgba = rows.flat_map(|pixel| pixel.to_srgba_unmultiplied()).collect();
        Some(Image { width: right - left, height: bottom - top, rgba })
    }
}

type Corner = egui::epaint::Vertex;

fn triangle(
    target: &mut [[f32; 4]],
    width: usize,
    clip: Rect,
    corners: [Corner; 3],
    (scale, origin): (f32, Vec2),
    texture: &Texture,
) {
    let mut corners = corners;
    let at = |corner: &Corner| {
        (f64::from(corner.pos.x * scale) - f64::from(origin.x), f64::from(corner.pos.y * scale) - f64::from(origin.y))
    };
    let cross = |a: (f64, f64), b: (f64, f64), p: (f64, f64)| (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0);
    if cross(at(&corners[0]), at(&corners[1]), at(&corners[2])) < 0.0 {
        corners.swap(1, 2);
    }
    let points = [at(&corners[0]), at(&corners[1]), at(&corners[2])];
    let area = cross(points[0], points[1], points[2]);
    if area <= 0.0 {
        return;
    }
    let low = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).fold(f64::INFINITY, f64::min);
    let high = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).fold(f64::NEG_INFINITY, f64::max);
    let (left, right) =
        (low(|p| p.0).floor().max(f64::from(clip.min.x)), high(|p| p.0).ceil().min(f64::from(clip.max.x)));
    let (top, bottom) =
        (low(|p| p.1).floor().max(f64::from(clip.min.y)), high(|p| p.1).ceil().min(f64::from(clip.max.y)));
    if right <= left || bottom <= top {
        return;
    }
    // A pixel whose centre lies on an edge belongs to the triangle left of or above it.
    let owns = |a: (f64, f64), b: (f64, f64)| (a.1 == b.1 && b.0 > a.0) || b.1 < a.1;
    let edges = [(points[1], points[2]), (points[2], points[0]), (points[0], points[1])];
    let flat = corners.iter().all(|corner| corner.uv == corners[0].uv && corner.color == corners[0].color);
    let flat = flat.then(|| shade(&corners, [1.0, 0.0, 0.0], texture));
    for y in top as usize..bottom as usize {
        for x in left as usize..right as usize {
            let pixel = (x as f64 + 0.5, y as f64 + 0.5);
            let weights = edges.map(|(a, b)| cross(a, b, pixel));
            let inside =
                weights.iter().zip(&edges).all(|(weight, (a, b))| *weight > 0.0 || (*weight == 0.0 && owns(*a, *b)));
            if !inside {
                continue;
            }
            let ink = match flat {
                Some(ink) => ink,
                None => shade(&corners, weights.map(|weight| (weight / area) as f32), texture),
            };
            let under = &mut target[y * width + x];
            let keep = 1.0 - ink[3] / 255.0;
            for (under, ink) in under.iter_mut().zip(ink) {
                // Eight bits between layers, as in a framebuffer.
                *under = (ink + *under * keep).round().clamp(0.0, 255.0);
            }
        }
    }
}

/// Vertex colour times texture, both premultiplied, 0 to 255.
fn shade(corners: &[Corner; 3], weights: [f32; 3], texture: &Texture) -> [f32; 4] {
    let mix = |part: &dyn Fn(&Corner) -> f32| {
        corners.iter().zip(weights).map(|(corner, weight)| part(corner) * weight).sum::<f32>()
    };
    let texel = texture.sample(mix(&|corner| corner.uv.x), mix(&|corner| corner.uv.y));
    std::array::from_fn(|c| mix(&|corner| f32::from(corner.color.to_array()[c])) * texel[c] / 255.0)
}
