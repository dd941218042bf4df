//! Painted shapes as SVG: bars, lines and areas stay vectors, a text stays text in its own face, the map's points become
//! circles or, above a number of them, one embedded picture.

use std::{collections::BTreeSet, fmt::Write as _};

use base64::Engine as _;
use egui::{
    Color32, Context, FontFamily, Mesh, Pos2, Rect, Shape, Stroke, StrokeKind, TextureId,
    epaint::{ClippedShape, ColorMode, PathShape, Primitive, RectShape, TextShape},
};

use super::{Taken, png};
use crate::{
    map::{CROSS_STROKE, RING_STROKE, Scene},
    theme,
};

/// Points of a map up to which each is a circle of its own.
pub const MOST_CIRCLES: usize = 20_000;

/// The picture as an SVG file.
///
/// # Errors
/// A part that has to be embedded and cannot be written as PNG.
pub fn write(taken: &Taken) -> Result<String, String> {
    let mut writer =
        Writer { taken, out: String::new(), clips: Vec::new(), open: None, faces: BTreeSet::new(), crop: taken.crop };
    for ClippedShape { clip_rect, shape, .. } in &taken.shapes {
        writer.shape(*clip_rect, shape)?;
    }
    writer.close();
    Ok(writer.whole())
}

struct Writer<'a> {
    taken: &'a Taken,
    out: String,
    clips: Vec<Rect>,
    /// The clip that the group being written has.
    open: Option<usize>,
    faces: BTreeSet<&'static str>,
    crop: Rect,
}

/// Two decimals, and no more digits than they need.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn at(place: Pos2) -> String {
    format!("{} {}", number(place.x), number(place.y))
}

/// `fill="#0a0b0c"`, with its opacity where it has one.
fn paint(what: &str, colour: Color32) -> String {
    let [red, green, blue, alpha] = colour.to_srgba_unmultiplied();
    let opacity = match alpha {
        255 => String::new(),
        alpha => format!(" {what}-opacity=\"{}\"", number(f32::from(alpha) / 255.0)),
    };
    format!("{what}=\"#{red:02x}{green:02x}{blue:02x}\"{opacity}")
}

fn fill(colour: Color32) -> String {
    if colour == Color32::TRANSPARENT { "fill=\"none\"".to_owned() } else { paint("fill", colour) }
}

fn stroke(stroke: Stroke) -> String {
    if stroke.width <= 0.0 || stroke.color == Color32::TRANSPARENT {
        return String::new();
    }
    format!(" {} stroke-width=\"{}\"", paint("stroke", stroke.color), number(stroke.width))
}

/// A text as the contents of an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no place for them.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl Writer<'_> {
    fn whole(self) -> String {
        let (size, crop) = (self.crop.size(), self.crop);
        let mut head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"{x} {y} {w} {h}\">\n\
             <title>{}</title>\n<desc>{}</desc>\n<defs>\n",
            escaped(&self.taken.caption.title),
            escaped(&self.taken.caption.details),
            w = number(size.x),
            h = number(size.y),
            x = number(crop.min.x),
            y = number(crop.min.y),
        );
        // Writing to a string cannot fail.
        if !self.faces.is_empty() {
            head.push_str("<style>\n");
            for (name, weight, bytes) in theme::faces().into_iter().filter(|(name, ..)| self.faces.contains(name)) {
                let data = base64::engine::general_purpose::STANDARD.encode(bytes);
                let _ = writeln!(
                    head,
                    "@font-face {{ font-family: \"{name}\"; font-weight: {weight}; src: url(data:font/ttf;base64,{data}); }}"
                );
            }
            head.push_str("</style>\n");
        }
        for (place, clip) in self.clips.iter().enumerate() {
            let _ = writeln!(head, "<clipPath id=\"c{place}\">{}</clipPath>", rectangle(*clip, ""));
        }
        format!("{head}</defs>\n{}</svg>\n", self.out)
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.push_str("</g>\n");
        }
    }

    fn clip(&mut self, clip: Rect) {
        let clip = clip.intersect(self.crop);
        let place = self.clips.iter().position(|known| *known == clip).unwrap_or_else(|| {
            self.clips.push(clip);
            self.clips.len() - 1
        });
        if self.open != Some(place) {
            self.close();
            let _ = writeln!(self.out, "<g clip-path=\"url(#c{place})\">");
            self.open = Some(place);
        }
    }

    /// What the group being written shows.
    fn open_clip(&self) -> Rect {
        self.open.and_then(|place| self.clips.get(place).copied()).unwrap_or(self.crop)
    }

    fn shape(&mut self, clip: Rect, shape: &Shape) -> Result<(), String> {
        if let Shape::Vec(shapes) = shape {
            return shapes.iter().try_for_each(|shape| self.shape(clip, shape));
        }
        let bounds = shape.visual_bounding_rect().intersect(clip).intersect(self.crop);
        if matches!(shape, Shape::Noop | Shape::Callback(_)) || !(bounds.width() >= 0.0 && bounds.height() >= 0.0) {
            return Ok(());
        }
        self.clip(clip);
        match shape {
            Shape::Circle(circle) => {
                let [x, y] = [circle.center.x, circle.center.y].map(number);
                let (radius, look) = (number(circle.radius), fill(circle.fill) + &stroke(circle.stroke));
                let _ = writeln!(self.out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {look}/>");
            }
            Shape::LineSegment { points, stroke: line } => {
                let _ = writeln!(self.out, "<path d=\"M{} L{}\"{}/>", at(points[0]), at(points[1]), stroke(*line));
            }
            Shape::Path(PathShape { points, closed, fill: inside, stroke: line })
                if matches!(line.color, ColorMode::Solid(_)) || line.width <= 0.0 =>
            {
                let colour = if let ColorMode::Solid(colour) = line.color { colour } else { Color32::TRANSPARENT };
                let way: Vec<String> = points.iter().map(|point| at(*point)).collect();
                let end = if *closed { " Z" } else { "" };
                let look = fill(*inside) + &stroke(Stroke::new(line.width, colour));
                let _ = writeln!(self.out, "<path d=\"M{}{end}\" {look}/>", way.join(" L"));
            }
            Shape::Rect(rect) => self.rect(rect)?,
            Shape::Text(text) => self.text(text),
            Shape::Mesh(mesh) if mesh.texture_id != TextureId::default() => {
                let bounds = mesh.calc_bounds();
                let uv = mesh.vertices.iter().fold(Rect::NOTHING, |mut uv, vertex| {
                    uv.extend_with(vertex.uv);
                    uv
                });
                self.picture(mesh.texture_id, bounds, uv)?;
            }
            Shape::Mesh(mesh) => self.triangles(mesh),
            // Whatever else there is, as it is tessellated.
            other => {
                let clipped = ClippedShape::new(clip, other.clone());
                for primitive in self.tessellate(clipped) {
                    if let Primitive::Mesh(mesh) = primitive {
                        self.triangles(&mesh);
                    }
                }
            }
        }
        Ok(())
    }

    fn tessellate(&self, shape: ClippedShape) -> Vec<Primitive> {
        let ctx: &Context = &self.taken.ctx;
        ctx.tessellate(vec![shape], self.taken.scale).into_iter().map(|clipped| clipped.primitive).collect()
    }

    fn rect(&mut self, shape: &RectShape) -> Result<(), String> {
        if let Some(brush) = shape.brush.as_ref().filter(|brush| brush.uv != Rect::ZERO) {
            return self.picture(brush.fill_texture_id, shape.rect, brush.uv);
        }
        let rect = match shape.stroke_kind {
            StrokeKind::Inside => shape.rect.shrink(shape.stroke.width / 2.0),
            StrokeKind::Middle => shape.rect,
            StrokeKind::Outside => shape.rect.expand(shape.stroke.width / 2.0),
        };
        let round = f32::from(shape.corner_radius.nw);
        let round = if round > 0.0 { format!(" rx=\"{}\"", number(round)) } else { String::new() };
        let look = fill(shape.fill) + &stroke(shape.stroke) + &round;
        let _ = writeln!(self.out, "{}", rectangle(rect, &look));
        Ok(())
    }

    /// Filled triangles; neighbours of one colour share an element.
    fn triangles(&mut self, mesh: &Mesh) {
        let mut last: Option<Color32> = None;
        for corners in mesh.indices.chunks_exact(3) {
            let corners = [corners[0], corners[1], corners[2]].map(|index| mesh.vertices[index as usize]);
            let channel = |channel: usize| {
                let sum: u16 = corners.iter().map(|corner| u16::from(corner.color.to_array()[channel])).sum();
                (sum / 3) as u8
            };
            let colour = Color32::from_rgba_premultiplied(channel(0), channel(1), channel(2), channel(3));
            if colour == Color32::TRANSPARENT {
                continue;
            }
            if last != Some(colour) {
                if last.is_some() {
                    self.out.push_str("\"/>\n");
                }
                let _ = write!(self.out, "<path {} d=\"", fill(colour));
                last = Some(colour);
            }
            let [a, b, c] = corners.map(|corner| at(corner.pos));
            let _ = write!(self.out, "M{a} L{b} L{c} Z ");
        }
        if last.is_some() {
            self.out.push_str("\"/>\n");
        }
    }

    /// A picture: the map's points as circles where they are few, else as pixels.
    fn picture(&mut self, id: TextureId, rect: Rect, uv: Rect) -> Result<(), String> {
        let scene = self.taken.scenes.iter().find(|(known, _)| *known == id).map(|(_, scene)| scene.clone());
        if let Some(scene) = scene.filter(is_vector) {
            self.points(&scene);
            return Ok(());
        }
        let shown = rect.intersect(self.open_clip()).intersect(self.crop);
        let share = |place: f32, from: f32, to: f32| if to > from { (place - from) / (to - from) } else { 0.0 };
        let corner = |place: Pos2| {
            egui::pos2(
                uv.min.x + uv.width() * share(place.x, rect.min.x, rect.max.x),
                uv.min.y + uv.height() * share(place.y, rect.min.y, rect.max.y),
            )
        };
        let part = Rect::from_min_max(corner(shown.min), corner(shown.max));
        let Some(image) = self.taken.raster.part(id, part) else { return Ok(()) };
        let data = base64::engine::general_purpose::STANDARD.encode(png::write(&image, &[])?);
        let [x, y, w, h] = [shown.min.x, shown.min.y, shown.width(), shown.height()].map(number);
        let _ = writeln!(
            self.out,
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
             href=\"data:image/png;base64,{data}\"/>"
        );
        Ok(())
    }

    fn points(&mut self, scene: &Scene) {
        let ground = rectangle(scene.rect, &fill(scene.ground));
        let _ = writeln!(self.out, "{ground}\n<g class=\"points\">");
        let radius = number(scene.dots.radius);
        let place = |at: egui::Vec2| scene.camera.to_screen(scene.rect, at);
        let seen = scene.rect.expand(scene.dots.radius);
        for (order, (at, colour)) in scene.paint.marks.iter().enumerate() {
            let at = place(*at);
            if !seen.contains(at) {
                continue;
            }
            let grey = order < scene.paint.grey;
            let (colour, alpha) =
                if grey { (scene.muted, scene.dots.alpha_faded) } else { (*colour, scene.dots.alpha) };
            let [x, y] = [at.x, at.y].map(number);
            let look = fill(colour.gamma_multiply(alpha));
            let _ = writeln!(self.out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {look}/>");
        }
        self.out.push_str("</g>\n");
        let signs = &scene.paint.signs;
        for sign in signs.found.iter().map(|at| place(*at)).filter(|at| seen.contains(*at)) {
            let ([x, y], radius) = ([sign.x, sign.y].map(number), number(signs.ring_size));
            let look = stroke(Stroke::new(RING_STROKE, signs.ring));
            let _ = writeln!(self.out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"none\"{look}/>");
        }
        for sign in signs.excluded.iter().map(|at| place(*at)).filter(|at| seen.contains(*at)) {
            let arm = |x: f32, y: f32| at(sign + egui::vec2(x, y) * signs.cross_size);
            let way = [arm(-1.0, -1.0), arm(1.0, 1.0), arm(-1.0, 1.0), arm(1.0, -1.0)];
            let look = stroke(Stroke::new(CROSS_STROKE, signs.cross));
            let _ = writeln!(self.out, "<path d=\"M{} L{} M{} L{}\"{look}/>", way[0], way[1], way[2], way[3]);
        }
        for sign in signs.pinned.iter().map(|at| place(*at)).filter(|at| seen.contains(*at)) {
            let corner = |x: f32, y: f32| at(sign + egui::vec2(x, y) * signs.pin_size);
            let way = [corner(0.0, -1.0), corner(1.0, 0.0), corner(0.0, 1.0), corner(-1.0, 0.0)];
            let look = fill(signs.pin) + &stroke(Stroke::new(1.0, scene.ground));
            let _ = writeln!(self.out, "<path d=\"M{} Z\" {look}/>", way.join(" L"));
        }
    }

    fn text(&mut self, shape: &TextShape) {
        let job = &shape.galley.job;
        // Glyphs come one a character, in the order of the text, whose line breaks have none.
        let mut characters = job.text.char_indices().peekable();
        for row in &shape.galley.rows {
            let mut run: Option<Run> = None;
            for glyph in &row.glyphs {
                while characters.peek().is_some_and(|(_, c)| *c == '\n' && glyph.chr != '\n') {
                    characters.next();
                }
                let byte = characters.next().map_or(job.text.len(), |(byte, _)| byte);
                let found = job.sections.iter().find(|section| section.byte_range.end.0 > byte);
                let Some(section) = found.or(job.sections.last()) else { continue };
                let inked = row.visuals.mesh.vertices.get(glyph.first_vertex as usize);
                let colour = match (shape.override_text_color, inked.filter(|_| !glyph.chr.is_whitespace())) {
                    (Some(colour), _) => colour,
                    (None, Some(vertex)) => vertex.color,
                    (None, None) => section.format.color,
                };
                let colour = if colour == Color32::PLACEHOLDER { shape.fallback_color } else { colour };
                let font = &section.format.font_id;
                let place = shape.pos + row.pos.to_vec2() + glyph.pos.to_vec2();
                let goes_on = run.as_ref().is_some_and(|run| {
                    run.family == font.family
                        && run.size == font.size
                        && (run.colour == colour || glyph.chr.is_whitespace())
                        && (run.place.y - place.y).abs() < 0.01
                });
                if !goes_on && let Some(run) = run.take() {
                    self.run(&run, shape);
                }
                let run = run.get_or_insert_with(|| Run {
                    text: String::new(),
                    family: font.family.clone(),
                    size: font.size,
                    colour,
                    place,
                    right: place.x,
                });
                run.text.push(glyph.chr);
                run.right = place.x + glyph.advance_width;
            }
            if let Some(run) = run {
                self.run(&run, shape);
            }
        }
    }

    fn run(&mut self, run: &Run, shape: &TextShape) {
        let text = run.text.trim_end();
        if text.trim_start().is_empty() {
            return;
        }
        let (name, weight) = theme::face_of(&run.family);
        self.faces.insert(name);
        let [x, y, size] = [run.place.x, run.place.y, run.size].map(number);
        let turn = match shape.angle {
            0.0 => String::new(),
            angle => {
                let (degrees, pivot) = (number(angle.to_degrees()), at(shape.pos));
                format!(" transform=\"rotate({degrees} {pivot})\"")
            }
        };
        // Where the face is not at hand, another one takes the same room.
        let width = if text.len() == run.text.len() && text.chars().count() > 1 {
            format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", number(run.right - run.place.x))
        } else {
            String::new()
        };
        let look = fill(run.colour.gamma_multiply(shape.opacity_factor));
        let _ = writeln!(
            self.out,
            "<text x=\"{x}\" y=\"{y}\" font-family=\"{name}, sans-serif\" font-weight=\"{weight}\" font-size=\"{size}\" \
             xml:space=\"preserve\"{width}{turn} {look}>{}</text>",
            escaped(text)
        );
    }
}

/// Letters of one face, size and colour on one line.
struct Run {
    text: String,
    family: FontFamily,
    size: f32,
    colour: Color32,
    /// Left end on the base line.
    place: Pos2,
    right: f32,
}

/// Are the points few enough to be circles, and drawn as such?
pub(super) fn is_vector(scene: &Scene) -> bool {
    scene.paint.marks.len() <= MOST_CIRCLES && scene.dots.density <= 0.0
}

fn rectangle(rect: Rect, look: &str) -> String {
    let [x, y, w, h] = [rect.min.x, rect.min.y, rect.width().max(0.0), rect.height().max(0.0)].map(number);
    format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {look}/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_texts_cannot_break_out() {
        assert_eq!(number(1.0), "1");
        assert_eq!(number(-0.001), "0");
        assert_eq!(number(12.346), "12.35");
        assert_eq!(escaped("a <b> & \"c\"\u{1}\u{fffe}\u{ffff}"), "a &lt;b&gt; &amp; &quot;c&quot;   ");
        assert_eq!(fill(Color32::from_rgba_unmultiplied(255, 0, 0, 51)), "fill=\"#ff0000\" fill-opacity=\"0.2\"");
    }

    #[test]
    fn a_picture_is_cut_by_the_clip_that_it_was_painted_in() -> Result<(), String> {
        let (body, narrow) = (Rect::from_min_max(Pos2::ZERO, egui::pos2(300.0, 300.0)), 100.0);
        let caption = crate::picture::Caption { title: String::new(), details: String::new() };
        let mut texture = None;
        let taken = crate::picture::take(&Context::default(), (body, 1.0), caption, &[], |ui| {
            let image = egui::ColorImage::filled([8, 8], Color32::RED);
            let load = || ui.ctx().load_texture("red", image, egui::TextureOptions::NEAREST);
            let picture = texture.get_or_insert_with(load).id();
            let left = body.with_max_x(narrow);
            let uv = Rect::from_min_max(Pos2::ZERO, egui::pos2(1.0, 1.0));
            for clip in [left, body, left] {
                let painter = ui.painter().with_clip_rect(clip);
                if clip == left {
                    painter.image(picture, body, uv, Color32::WHITE);
                } else {
                    painter.rect_filled(body, 0.0, Color32::BLUE);
                }
            }
        });
        let svg = taken.svg()?;
        let pictures: Vec<&str> = svg.lines().filter(|line| line.starts_with("<image")).collect();
        assert_eq!(pictures.len(), 2, "{svg}");
        assert!(pictures.iter().all(|picture| picture.contains("width=\"100\"")), "{pictures:?}");
        Ok(())
    }
}
